"""Errors as the Graph API shapes them (Meta Cloud API reference, section 7.1)."""

from typing import Any
from uuid import uuid4

MESSAGES = {
    0: "AuthException",
    4: "Application request limit reached",
    10: "Application does not have permission for this action",
    33: "Object does not exist",
    80007: "There have been too many calls from this WhatsApp Business account",
    100: "Invalid parameter",
    190: "Error validating access token: the session is invalid",
    130429: "Rate limit hit",
    131008: "Required parameter is missing",
    131009: "Parameter value is not valid",
    131026: "Message undeliverable",
    131047: "Re-engagement message",
    131051: "Unsupported message type",
    131053: "Media upload error",
    131056: "(Business Account, Consumer Account) pair rate limit hit",
    131062: "Business-scoped user id not allowed",
    132000: "Number of parameters does not match the expected number of params",
    132001: "Template name does not exist in the translation",
    132012: "Parameter format does not match format in the created template",
    132015: "Template is paused",
    132016: "Template is disabled",
    132018: "There is an issue with the parameters in your template",
    2200: "Callback verification failed",
}


class GraphError(Exception):
    """One refusal, with its HTTP status."""

    def __init__(self, code: int, details: str = "", *, status: int = 400, subcode: int | None = None) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.status = status
        self.subcode = subcode

    @property
    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        title = MESSAGES.get(self.code, "An error occurred")
        error: dict[str, Any] = {
            "message": f"(#{self.code}) {title}",
            "type": "OAuthException",
            "code": self.code,
            "fbtrace_id": "A" + uuid4().hex[:22],
        }
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.code > 1000 or self.code == 100:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details or title}
        return {"error": error}

    @property
    def as_status(self) -> dict[str, Any]:
        """The same in the ``errors`` of a failed status."""
        title = MESSAGES.get(self.code, "An error occurred")
        return {
            "code": self.code,
            "title": title,
            "message": title,
            "error_data": {"details": self.details or title},
            "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
        }


def no_object(what: str) -> GraphError:
    """Return the refusal of an id that is unknown, or that the token may not see."""
    details = f"Unsupported request. Object with ID '{what}' does not exist or cannot be loaded"
    return GraphError(100, details, subcode=33)


def bad(details: str) -> GraphError:
    """Return the refusal of a value."""
    return GraphError(131009, details)


def missing(name: str) -> GraphError:
    """Return the refusal of a body that lacks something."""
    return GraphError(131008, f"The parameter {name} is required")
