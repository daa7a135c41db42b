"""Passwords: the rules for new ones, and argon2 in threads so that the event loop never waits for it."""

import asyncio
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from elsehu.contracts.errors import FieldError, Invalid
from elsehu.ids import new_token
from elsehu.settings import SecuritySettings

MAX_BYTES = 1000
AT_ONCE = 2
"""Verifications at a time in one process: each takes `argon2_memory_kib` of memory."""


def check_password(security: SecuritySettings, password: str, email: str, field: str = "password") -> None:
    """Raise Invalid, naming `field`, if `password` may not become the password of the user with `email`."""
    reason = _weakness(security, password, email)
    if reason:
        raise Invalid("weak_password", f"Choose another password: it {reason}.", errors=[FieldError(field, reason)])


def _weakness(security: SecuritySettings, password: str, email: str) -> str | None:
    if len(password) < security.password_min_length:
        return f"must have at least {security.password_min_length} characters"
    if len(password.encode()) > MAX_BYTES:
        return f"may have at most {MAX_BYTES} bytes"
    if password.casefold() == email.casefold():
        return "must not be the e-mail address"
    return None


async def hash_password(security: SecuritySettings, password: str) -> str:
    """Return the argon2id hash of `password`."""
    return await asyncio.to_thread(_hasher(security).hash, _one_spelling(password))


class Verifier:
    """Compares passwords with hashes, a few at a time, and takes as long for nobody's as for somebody's."""

    def __init__(self, security: SecuritySettings) -> None:
        self._hasher = _hasher(security)
        self._nobody: str | None = None
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Say whether `password` is the one of `password_hash`; None (no such user) is never right."""
        async with self._turn:
            return await asyncio.to_thread(self._verify, password_hash, _one_spelling(password))

    def is_outdated(self, password_hash: str) -> bool:
        """Say whether `password_hash` was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        if self._nobody is None:
            self._nobody = self._hasher.hash(new_token())
        try:
            self._hasher.verify(password_hash or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None


def _hasher(security: SecuritySettings) -> PasswordHasher:
    return PasswordHasher(time_cost=security.argon2_time, memory_cost=security.argon2_memory_kib)


def _one_spelling(password: str) -> str:
    """Return `password` in the Unicode form NFKC: keyboards differ in how they compose the same letter."""
    return unicodedata.normalize("NFKC", password)
