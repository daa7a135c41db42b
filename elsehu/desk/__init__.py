"""What operators do with conversations: take, transfer, close, and why."""
