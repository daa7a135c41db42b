"""What went wrong at Evolution, as errors that say what is known (Evolution API reference, sections 1 and 4).

Most failures of a send are a 400 whose text comes from wherever the server stumbled. It catches what fails
*after* the message left as well, so only what is known to fail before counts as not sent.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from elsehu.plugin import Answer, InstanceSick, OutcomeUnknown, ProviderError, Rejected, Retryable

from .flavours import mapping

NOT_CONNECTED = ("connection closed", "(reading 'id')", "is not connected")
"""The forms of "not connected": socket closed (400 and 500), never logged in, and of a logout."""

BEFORE_SENDING = (
    "unsupported image format",
    "axioserror: request failed",
    "file or buffer is undefined",
    "method not available",
)
"""Texts of 500s from before a message is handed to WhatsApp: conversion and download of its file."""

MAYBE_SENT = ("timed out", "timeout", "prisma", "econnreset", "socket hang up")
"""Texts of 400s that come from the way to WhatsApp, or from storing what has left already."""

NOT_TAKEN = (429, 503, 521, 522, 523, 525, 526, 530)
"""Refused at the door: too many requests, nobody to serve them, or a proxy that found no server."""

REDIRECTS = range(300, 400)
INTERNALS = re.compile(r"(/[\w.-]+){2,}|[A-Z]:\\|node_modules|\n\s*at ")
URL = re.compile(r"https?://\S+")
LONGEST = 300


def body_of(answer: Answer) -> Any:
    """Return the JSON of an answer, or None where it has none."""
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None


def words_of(answer: Answer) -> str:
    """Return what an answer says in words that a person may see: flat, short, without addresses and paths."""
    flat = "; ".join(dict.fromkeys(_texts(body_of(answer))))
    shown = URL.sub("(address)", flat)
    if INTERNALS.search(shown):
        return f"internal error {answer.status}"
    return " ".join(shown.split())[:LONGEST] or f"status {answer.status}"


def query_failure(answer: Answer) -> ProviderError:
    """Return the error of a request that changes nothing, or that may be repeated."""
    words = words_of(answer)
    common = _common_failure(answer, words)
    if common is not None:
        return common
    if 400 <= answer.status < 500:
        return Rejected("provider_rejected", f"Evolution refused the request: {words}.", str(answer.status))
    return Retryable("provider_error", f"Evolution failed: {words}. It is asked again.", str(answer.status))


def send_failure(answer: Answer) -> ProviderError:
    """Return the error of a send: what is not certain to have stayed here may have been sent."""
    words = words_of(answer)
    common = _common_failure(answer, words)
    if common is not None:
        return common
    if is_not_on_whatsapp(answer):
        return Rejected("recipient_not_on_whatsapp", "This number is not on WhatsApp. Check it.", "exists:false")
    low = words.lower()
    is_refusal = 400 <= answer.status < 500 and not _says(low, MAYBE_SENT)
    if is_refusal or (answer.status == 500 and _says(low, BEFORE_SENDING)):
        return Rejected("provider_rejected", f"Evolution refused the message: {words}.", str(answer.status))
    return maybe_sent(words, str(answer.status))


def maybe_sent(words: str, provider_code: str | None = None) -> OutcomeUnknown:
    """Return the error of a send of which nobody knows whether it left."""
    detail = (
        f"Evolution may have sent this message: {words}. Its echo settles it; if none comes, look at the phone "
        "and say what you see."
    )
    return OutcomeUnknown("outcome_unknown", detail, provider_code)


def is_not_on_whatsapp(answer: Answer) -> bool:
    """Whether an answer says that the recipient does not exist."""
    return any(mapping(found).get("exists") is False for found in _leaves(body_of(answer)))


def _common_failure(answer: Answer, words: str) -> ProviderError | None:
    status = answer.status
    if status == 401:
        return InstanceSick("provider_key_refused", "Evolution refuses the key. Correct credentials.apiKey.")
    if status == 404 or status in REDIRECTS:
        return _missing(answer, words)
    if _says(words.lower(), NOT_CONNECTED) or _is_closed_socket(answer):
        detail = "The number is not connected to WhatsApp. Its messages wait until it is."
        return InstanceSick("instance_disconnected", detail, provider_code=str(status))
    if status in NOT_TAKEN:
        detail = f"Evolution takes no requests now: {words}. It is tried again."
        return Retryable("provider_unavailable", detail, str(status), retry_after(answer))
    return None


def _missing(answer: Answer, words: str) -> InstanceSick:
    if answer.status == 404 and ("does not exist" in words or "not found" in words):
        detail = "Evolution does not know this instance. Connect it: that creates it."
        return InstanceSick("instance_missing", detail, provider_code="404")
    detail = (
        f"There is no Evolution API at credentials.serverUrl: it answers {answer.status}. Give the address under "
        "which the server shows its version, with http or https as it is served."
    )
    return InstanceSick("provider_not_found", detail, provider_code=str(answer.status))


def _is_closed_socket(answer: Answer) -> bool:
    """Whether an answer is the raw network error that some routes give for "not connected"."""
    output = mapping(mapping(body_of(answer)).get("output"))
    return output.get("statusCode") == 428


def retry_after(answer: Answer) -> float | None:
    """Return the seconds after which the server wants to be asked again."""
    seconds = answer.headers.get("retry-after", "")
    return float(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 6 else None


def _says(words: str, phrases: tuple[str, ...]) -> bool:
    return any(phrase in words for phrase in phrases)


def _texts(body: Any) -> Iterator[str]:
    for leaf in _leaves(body):
        if type(leaf) is str and leaf and leaf != "[object Object]":
            yield leaf
        elif mapping(leaf).get("exists") is False:
            yield "not on WhatsApp"


def _leaves(body: Any) -> Iterator[Any]:
    """Yield what stands where errors say something: `response.message`, or `message` at the top."""
    whole = mapping(body)
    response = whole.get("response")
    said = mapping(response).get("message") if type(response) is dict else whole.get("message")
    yield from _flat(said if said is not None else whole.get("error"), 0)


def _flat(said: Any, depth: int) -> Iterator[Any]:
    if type(said) is list and depth < 5:
        for one in said[:20]:
            yield from _flat(one, depth + 1)
    else:
        yield said
