"""Access tokens: JWTs that name the key that signed them, so that the secret key can be rotated."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt

from elsehu.clock import Clock, utc_now
from elsehu.contracts.errors import Unauthenticated
from elsehu.contracts.user import Role
from elsehu.ids import new_token
from elsehu.secretbox import derive, fingerprint

ALGORITHM = "HS256"
ISSUER = "elsehu"
LEEWAY_SECONDS = 5
MAX_LENGTH = 4096
CLAIMS = ["sub", "sid", "role", "iat", "exp", "jti", "iss"]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token that holds says. `expires_at` is in epoch seconds."""

    user_id: UUID
    session_id: UUID
    expires_at: float


class Tokens:
    """Issues tokens with the newest secret key and reads those made with any of them."""

    def __init__(self, secret_keys: Sequence[str], seconds: int, now: Clock = utc_now) -> None:
        self._keys = {fingerprint(key): derive(key, "jwt") for key in secret_keys}
        self._newest = fingerprint(secret_keys[0])
        self._now = now
        self.seconds = seconds

    def issue(self, user_id: UUID, session_id: UUID, role: Role) -> str:
        """Return a new access token, good for `seconds`."""
        now = self._now()
        claims = {
            "iss": ISSUER,
            "sub": str(user_id),
            "sid": str(session_id),
            "role": role,
            "jti": new_token(12),
            "iat": now,
            "exp": now + timedelta(seconds=self.seconds),
        }
        return jwt.encode(claims, self._keys[self._newest], ALGORITHM, headers={"kid": self._newest})

    def read(self, token: str) -> Claims:
        """Return what `token` says. Raises Unauthenticated: `token_expired`, or `token_invalid` for all else."""
        try:
            claims = self._decode(token)
            return Claims(UUID(claims["sub"]), UUID(claims["sid"]), float(claims["exp"]))
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("token_expired", "The access token has expired: refresh it.") from None
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            raise token_invalid() from None

    def _decode(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_LENGTH:
            raise jwt.DecodeError("too long to be one of ours")
        key = self._keys.get(jwt.get_unverified_header(token).get("kid", ""))
        if key is None:
            raise jwt.InvalidKeyError("signed with no key of ours")
        return jwt.decode(token, key, [ALGORITHM], issuer=ISSUER, leeway=LEEWAY_SECONDS, options={"require": CLAIMS})


def token_invalid() -> Unauthenticated:
    """Return the refusal of a token that does not hold, whatever is wrong with it."""
    return Unauthenticated("token_invalid", "This token is not valid (any more): log in again.")
