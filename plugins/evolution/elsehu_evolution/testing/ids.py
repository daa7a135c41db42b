"""Moments and identifiers as the server writes them."""

import secrets
import time
from datetime import UTC, datetime


def iso_now() -> str:
    """Return the present as the server writes it into rows."""
    return iso(time.time())


def iso(moment: float) -> str:
    """Return ``moment`` (seconds since 1970) in ISO 8601 with milliseconds and Z."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def row_id() -> str:
    """Return a database id: 25 characters, of no use to callers."""
    return "c" + secrets.token_hex(12)


def api_message_id() -> str:
    """Return an id as messages sent through the API have."""
    return "3EB0" + secrets.token_hex(9).upper()


def android_message_id() -> str:
    """Return an id as customers' phones make them."""
    return "AC" + secrets.token_hex(15).upper()


def ios_message_id() -> str:
    """Return an id as the owner's phone makes them."""
    return "3A" + secrets.token_hex(9).upper()
