"""Users, sessions, API keys, who may do what, and the audit log."""
