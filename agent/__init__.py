"""One live call, and all of them: how audio comes in, runs and ends."""
