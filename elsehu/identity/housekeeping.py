"""Clearing away what is long over: sessions, used refresh tokens, answers kept for repeated requests."""

from elsehu.http import idempotency
from elsehu.kernel import Kernel

OLD_SESSIONS = """
DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions WHERE expires_at < now() - interval '1 day' LIMIT 10000 FOR UPDATE SKIP LOCKED
)
"""

OLD_TOKENS = "DELETE FROM refresh_tokens WHERE used_at < now() - $1 * interval '1 day'"


async def sweep(kernel: Kernel) -> None:
    """Delete what nobody can use or misuse any more.

    A used refresh token is kept as long as it would have been good: coming again, it tells of a theft.
    """
    await kernel.db.execute(OLD_SESSIONS)
    await kernel.db.execute(OLD_TOKENS, kernel.settings.security.refresh_token_days)
    await idempotency.forget_old(kernel.db)
