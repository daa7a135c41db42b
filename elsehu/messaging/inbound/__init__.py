"""From a webhook to committed rows: every step leaves the same state in any order, any number of times."""
