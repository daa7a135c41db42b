"""The request that is being served: its id goes with what it causes, to sockets and to providers.

It is kept where the log takes it from, so that one id is in every line, event and call.
"""

from structlog.contextvars import bind_contextvars, get_contextvars

HEADER = "x-request-id"


def current_request_id() -> str | None:
    """Return the id of the request that this task serves, None outside of any."""
    request_id: str | None = get_contextvars().get("request_id")
    return request_id


def serve_request(request_id: str | None) -> None:
    """Have this task's log and calls bear the id of the request that caused them; for a task of its own."""
    if request_id is not None:
        bind_contextvars(request_id=request_id)
