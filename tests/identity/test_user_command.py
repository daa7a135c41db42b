"""`elsehu user …`: an admin of the server makes, lists and changes users."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner, Result

from elsehu.cli.user import user_group
from elsehu.kernel import Kernel, open_kernel
from elsehu.plugins import load_plugins
from elsehu.settings import Settings

Answer = TypeVar("Answer")
PASSWORD = "a good long password"


class Installation:
    """Opens a kernel for each command, as the command line does."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def run(self, action: Callable[[Kernel], Awaitable[Answer]]) -> Answer:
        async def on_kernel() -> Answer:
            async with open_kernel(self.settings, load_plugins(self.settings)) as kernel:
                return await action(kernel)

        return asyncio.run(on_kernel())


@pytest.fixture
def installation(settings: Settings) -> Installation:
    return Installation(settings)


def user(installation: Installation, *arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(user_group, list(arguments), obj=installation, input=typed, env={"COLUMNS": "200"})


def make(installation: Installation, email: str = "ana@example.com", role: str = "ADMIN") -> Result:
    arguments = ("create", email, "--name", "Ana", "--role", role, "--password-stdin")
    return user(installation, *arguments, typed=PASSWORD + "\n")


def rows(installation: Installation, sql: str) -> list[dict[str, Any]]:
    async def action(kernel: Kernel) -> list[dict[str, Any]]:
        return [dict(row) for row in await kernel.db.fetch(sql)]

    return installation.run(action)


def test_a_user_is_made_and_listed(installation: Installation) -> None:
    made = make(installation)
    assert made.exit_code == 0, made.output
    assert PASSWORD not in made.output
    listed = user(installation, "list")
    assert "ana@example.com" in listed.output and "ADMIN" in listed.output
    (stored,) = rows(installation, "SELECT * FROM users")
    assert (stored["name"], stored["email"], stored["role"]) == ("Ana", "ana@example.com", "ADMIN")
    (entry,) = rows(installation, "SELECT * FROM audit_log")
    assert (entry["action"], entry["actor_name"]) == ("user_created", "command line")


def test_a_password_can_be_typed(installation: Installation) -> None:
    made = user(installation, "create", "ana@example.com", "--name", "Ana", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert made.exit_code == 0, made.output
    assert PASSWORD not in made.output


@pytest.mark.parametrize(
    ("email", "password", "says"),
    [
        ("ana", PASSWORD, "email: "),
        ("ana@example.com", "short", "at least 10 characters"),
        ("taken@example.com", PASSWORD, "already a user"),
    ],
)
def test_what_will_not_do_is_told_in_words(installation: Installation, email: str, password: str, says: str) -> None:
    make(installation, "taken@example.com")
    refused = user(installation, "create", email, "--name", "Ana", "--password-stdin", typed=password)
    assert refused.exit_code != 0
    assert says in refused.output
    assert "Traceback" not in refused.output


def test_a_new_password_ends_sessions(installation: Installation) -> None:
    make(installation)
    session = "INSERT INTO sessions (id, user_id, expires_at) SELECT gen_random_uuid(), id, now() + '1 day' FROM users"
    rows(installation, session)
    before = rows(installation, "SELECT password_hash FROM users")
    changed = user(installation, "password", "ANA@example.com", "--password-stdin", typed="another good password")
    assert changed.exit_code == 0, changed.output
    assert rows(installation, "SELECT password_hash FROM users") != before
    assert rows(installation, "SELECT revoked_why FROM sessions") == [{"revoked_why": "password_reset"}]


def test_deactivate_and_activate(installation: Installation) -> None:
    make(installation)
    make(installation, "ben@example.com", "OPERATOR")
    assert user(installation, "deactivate", "ben@example.com").exit_code == 0
    assert "ben@example.com" not in user(installation, "list").output
    assert "ben@example.com" in user(installation, "list", "--all").output
    assert user(installation, "activate", "ben@example.com").exit_code == 0
    assert "ben@example.com" in user(installation, "list").output


def test_the_last_admin_stays(installation: Installation) -> None:
    make(installation)
    refused = user(installation, "deactivate", "ana@example.com")
    assert refused.exit_code == 1
    assert "last active ADMIN" in refused.output


def test_an_unknown_user_is_told_so(installation: Installation) -> None:
    refused = user(installation, "deactivate", "nobody@example.com")
    assert refused.exit_code == 1
    assert "elsehu user list --all" in refused.output
