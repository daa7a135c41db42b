"""Refusals, in the several shapes in which the real server words them (reference, section 1)."""

from typing import Any

REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


class ApiError(Exception):
    """An answer that is not a success: its status and the whole body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


def refusal(status: int, message: Any) -> ApiError:
    """Make the usual error body around ``message`` (a text, a list, or a list in a list)."""
    reason = REASONS.get(status, "Internal Server Error")
    return ApiError(status, {"status": status, "error": reason, "response": {"message": message}})


def bad_request(*messages: Any) -> ApiError:
    """Make a 400 whose message is a list."""
    return refusal(400, list(messages))


def unauthorized() -> ApiError:
    """Make the 401 of a missing or wrong key."""
    return refusal(401, "Unauthorized")


def no_instance(name: str) -> ApiError:
    """Make the 404 of an unknown instance, which comes before any look at the key."""
    return refusal(404, [f'The "{name}" instance does not exist'])


def no_route(method: str, path: str) -> ApiError:
    """Make the 404 of an unknown route."""
    return refusal(404, [f"Cannot {method} {path}"])


def closed_socket() -> dict[str, Any]:
    """Return the serialised network error that ``whatsappNumbers`` answers when not connected."""
    payload = {"statusCode": 428, "error": "Precondition Required", "message": "Connection Closed"}
    output = {"statusCode": 428, "payload": payload, "headers": {}}
    return {"data": None, "isBoom": True, "isServer": False, "output": output}
