"""E-mail addresses as login names: one spelling each, whether or not mail can be delivered there."""

import re

from email_validator import EmailNotValidError, validate_email

PRIVATE_DOMAIN = re.compile(r"(?:[a-z0-9]+(?:-+[a-z0-9]+)*\.)*(?:localhost|local|internal|test)", re.IGNORECASE)
"""Domains that exist only inside a company's own network; email-validator would refuse them."""


def normalise_email(text: str) -> str:
    """Return the address in its normal spelling (domain in lower case). Raises ValueError with a reason."""
    local, _, domain = text.strip().rpartition("@")
    is_private = PRIVATE_DOMAIN.fullmatch(domain) is not None
    try:
        checked = validate_email(f"{local}@{'example.com' if is_private else domain}", check_deliverability=False)
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from None
    return f"{checked.local_part}@{domain.lower() if is_private else checked.domain}"


def as_typed_at_login(text: str) -> str:
    """Return the normal spelling of what somebody typed at login; what is no address stays as it is."""
    try:
        return normalise_email(text)
    except ValueError:
        return text.strip()
