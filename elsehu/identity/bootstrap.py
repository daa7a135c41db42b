"""The first ADMIN, without whom nobody could make the others."""

from dataclasses import dataclass

from elsehu.contracts.errors import ConfigError, DomainError
from elsehu.contracts.user import Role
from elsehu.db import UnitOfWork
from elsehu.identity import audit, users
from elsehu.ids import new_token
from elsehu.settings import Settings

DEFAULT_EMAIL = "admin@localhost"

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('elsehu: the first admin', 0))"
HAS_ADMIN = "SELECT EXISTS (SELECT FROM users WHERE role = 'ADMIN')"

ADVICE = "Change ELSEHU_ADMIN_EMAIL or ELSEHU_ADMIN_PASSWORD and start again."


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """The ADMIN that was made. `password` is to be shown, once, if it `is_generated`."""

    email: str
    password: str
    is_generated: bool


async def ensure_first_admin(
    uow: UnitOfWork, settings: Settings, email: str | None = None, password: str | None = None
) -> FirstAdmin | None:
    """Make an ADMIN if there is none, with a generated password if none is given; None: there is one.

    Processes that start together make one. Raises ConfigError if the given values will not do.
    """
    await uow.execute(LOCK)
    if await uow.fetch_value(HAS_ADMIN):
        return None
    first = FirstAdmin(email or DEFAULT_EMAIL, password or new_token(12), not password)
    try:
        user = await users.create(
            uow, settings, name="Admin", email=first.email, password=first.password, role=Role.ADMIN
        )
    except (DomainError, ValueError) as error:
        raise ConfigError("first_admin", f"The first ADMIN cannot be made: {error} {ADVICE}") from None
    await audit.record(uow, audit.COMMAND_LINE, "user_created", f"user:{user['id']}", {"role": Role.ADMIN})
    return first
