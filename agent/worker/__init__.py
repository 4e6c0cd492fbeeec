"""Voice workers: the processes that carry calls, and how the switchboard speaks with them."""
