"""Giving waiting conversations to operators by a rule, and taking them back from who is gone."""
