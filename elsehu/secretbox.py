"""Encryption at rest and key derivation from the installation's secret keys.

The first key encrypts and signs; all of them decrypt and verify, so a key is rotated by putting a new one
in front (`ELSEHU_SECRET_KEY=new,old`), and dropped when nothing made with it is left.
"""

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class WrongSecretKey(Exception):
    """What was encrypted cannot be read with any of the configured keys."""


def derive(secret: str, purpose: str) -> bytes:
    """Return 32 bytes derived (HKDF-SHA256) from `secret` for one `purpose`, e.g. `jwt`."""
    return HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(secret.encode())


def fingerprint(secret: str) -> str:
    """Return a short public name of `secret` that reveals nothing of it: a key id."""
    return hashlib.sha256(derive(secret, "fingerprint")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class SecretBox:
    """Encrypts and decrypts small values with the installation's keys, newest first."""

    keys: tuple[str, ...] = field(repr=False)

    def _fernet(self) -> MultiFernet:
        return MultiFernet([Fernet(base64.urlsafe_b64encode(derive(key, "at-rest"))) for key in self.keys])

    def encrypt(self, plain: bytes) -> bytes:
        """Return `plain` encrypted and authenticated with the newest key."""
        return self._fernet().encrypt(plain)

    def decrypt(self, token: bytes) -> bytes:
        """Return what `encrypt` was given. Raises WrongSecretKey if no configured key fits."""
        try:
            return self._fernet().decrypt(token)
        except InvalidToken as error:
            raise WrongSecretKey("none of the configured secret keys can read this value") from error

    def rotate(self, token: bytes) -> bytes:
        """Return `token` encrypted anew with the newest key. Raises WrongSecretKey."""
        return self.encrypt(self.decrypt(token))
