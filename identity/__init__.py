"""Who is asking: users, portal codes, tokens."""
