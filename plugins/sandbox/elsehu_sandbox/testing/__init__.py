"""For tests of the sandbox itself."""
