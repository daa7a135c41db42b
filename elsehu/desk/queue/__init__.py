"""The queue as people see it: who waits, for how long, and who is next."""
