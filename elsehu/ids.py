"""Identifiers: UUIDv7 for rows (sortable by time), random tokens for secrets."""

import secrets
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new UUIDv7: unique, and sortable by the millisecond in which it was made."""
    return uuid7()


def new_token(length_bytes: int = 32) -> str:
    """Return a random URL-safe text with `length_bytes` bytes of entropy, for secrets and tokens."""
    return secrets.token_urlsafe(length_bytes)
