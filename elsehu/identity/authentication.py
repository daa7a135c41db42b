"""Finding out who calls: by access token or by API key."""

import asyncio
from dataclasses import replace

from elsehu.contracts.errors import Unauthenticated
from elsehu.contracts.user import Caller
from elsehu.http.operations import Authenticator
from elsehu.http.rate_limits import RateLimits
from elsehu.identity import api_keys
from elsehu.identity.callers import CHANNEL, Callers, ScopeOf, everything
from elsehu.identity.passwords import Verifier
from elsehu.identity.throttle import Throttle
from elsehu.identity.tokens import Tokens, token_invalid
from elsehu.kernel import Kernel


class Identity(Authenticator):
    """The process's part of this slice: what login and authentication work with."""

    def __init__(self, kernel: Kernel, scope_of: ScopeOf) -> None:
        security = kernel.settings.security
        self._kernel = kernel
        self._scope_of = scope_of
        self._is_listening = False
        self.tokens = Tokens(kernel.settings.secret_keys, security.access_token_seconds, kernel.now)
        self.callers = Callers(kernel.db, scope_of)
        self.verifier = Verifier(security)
        self.throttle = Throttle(kernel.redis, security)

    async def authenticate(self, token: str) -> Caller:
        """Return the caller of a bearer `token`: a user in a session, or an API key. Raises Unauthenticated."""
        return await self._caller(token, self.callers)

    async def recheck(self, token: str) -> Caller:
        """Return the caller of `token` as he stands now, past any memory of him. Raises Unauthenticated."""
        return await self._caller(token, Callers(self._kernel.db, self._scope_of))

    async def _caller(self, token: str, callers: Callers) -> Caller:
        if token.startswith(api_keys.PREFIX):
            return await self._machine(token, callers)
        claims = self.tokens.read(token)
        caller = await callers.of_session(claims.session_id)
        if caller is None or caller.user_id != claims.user_id:
            raise token_invalid()
        return replace(caller, expires_at=claims.expires_at)

    async def _machine(self, key: str, callers: Callers) -> Caller:
        caller = await callers.of_key(api_keys.hash_of(key))
        if caller is None:
            raise token_invalid()
        if caller.expires_at is not None and caller.expires_at <= self._kernel.now().timestamp():
            raise Unauthenticated("token_expired", "This API key has expired: ask an admin for a new one.")
        return caller

    async def run(self) -> None:
        """Listen for what the other processes change."""
        if not self._is_listening:
            await self._kernel.bus.listen(CHANNEL, self.callers.heard)
            self._is_listening = True
        await asyncio.Event().wait()


def provide_identity(kernel: Kernel, scope_of: ScopeOf = everything) -> Identity:
    """Add this slice's part to `kernel`, under every name by which it is asked for, and how often callers may call."""
    identity = Identity(kernel, scope_of)
    kernel.provide(RateLimits, RateLimits(kernel.redis, kernel.settings.rate_limits))
    kernel.provide(Callers, identity.callers)
    kernel.provide(Authenticator, identity)  # type: ignore[type-abstract]
    return kernel.provide(Identity, identity)
