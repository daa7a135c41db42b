"""What is kept encrypted of an instance: credentials, the plugin's state, the webhook secret."""

from collections.abc import Mapping
from typing import Any

import orjson

from elsehu.secretbox import SecretBox


def seal(box: SecretBox, value: Mapping[str, Any]) -> bytes:
    """Return `value` as encrypted JSON."""
    return box.encrypt(orjson.dumps(value))


def unseal(box: SecretBox, sealed: bytes) -> dict[str, Any]:
    """Return what `seal` was given; nothing sealed is an empty dict. Raises WrongSecretKey."""
    return orjson.loads(box.decrypt(sealed)) if sealed else {}


def seal_text(box: SecretBox, text: str) -> bytes:
    """Return `text` encrypted."""
    return box.encrypt(text.encode())


def unseal_text(box: SecretBox, sealed: bytes) -> str:
    """Return what `seal_text` was given. Raises WrongSecretKey."""
    return box.decrypt(sealed).decode() if sealed else ""
