"""The WebSocket at `/ws`: from the outbox to every screen that may see it. See docs/realtime.md."""
