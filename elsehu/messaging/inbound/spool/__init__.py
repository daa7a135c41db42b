"""Where webhooks wait on this machine's disk while PostgreSQL is away."""
