"""`elsehu user …`: who may come in, from the server's own command line."""

import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from elsehu.clock import isoformat
from elsehu.contracts.errors import DomainError, NotFound
from elsehu.contracts.user import Role
from elsehu.db import Row
from elsehu.http.problems import field_errors
from elsehu.identity import audit, users
from elsehu.identity.emails import as_typed_at_login
from elsehu.identity.schemas import UserBody, plain
from elsehu.kernel import Kernel, Runner

Answer = TypeVar("Answer")


from_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input, not a prompt.")


@click.group("user")
def user_group() -> None:
    """Make, list, and change users."""


@user_group.command()
@click.argument("email")
@click.option("--name", required=True, help="How others see this user.")
@click.option("--role", type=click.Choice(list(Role)), default=Role.OPERATOR, show_default=True)
@from_stdin
@click.pass_obj
def create(runner: Runner, email: str, name: str, role: Role, password_stdin: bool) -> None:
    """Make a user who logs in as EMAIL."""
    try:
        user = UserBody.model_validate(
            {"name": name, "email": email, "role": role, "password": _password(password_stdin)}
        )
    except ValidationError as error:
        raise click.UsageError("\n".join(f"{one.field}: {one.message}" for one in field_errors(error))) from None

    async def action(kernel: Kernel) -> Row:
        async with kernel.db.transaction() as uow:
            row = await users.create(
                uow, kernel.settings, name=user.name, email=user.email, password=plain(user.password), role=user.role
            )
            details = {"email": row["email"], "role": row["role"]}
            await audit.record(uow, audit.COMMAND_LINE, "user_created", f"user:{row['id']}", details)
        return row

    row = _run(runner, action)
    click.echo(f"{row['role']} {row['email']} can log in now.")


@user_group.command("list")
@click.option("--all", "show_all", is_flag=True, help="Show deactivated users too.")
@click.pass_obj
def list_users(runner: Runner, show_all: bool) -> None:
    """List users."""

    async def action(kernel: Kernel) -> list[Row]:
        return await kernel.db.fetch("SELECT * FROM users WHERE is_active OR $1 ORDER BY id", show_all)

    table = Table("E-mail", "Name", "Role", "Active", "Since")
    for row in _run(runner, action):
        active = "yes" if row["is_active"] else "no"
        table.add_row(row["email"], row["name"], row["role"], active, isoformat(row["created_at"])[:10])
    Console().print(table)


@user_group.command()
@click.argument("email")
@from_stdin
@click.pass_obj
def password(runner: Runner, email: str, password_stdin: bool) -> None:
    """Give the user EMAIL a new password and end all his sessions."""
    _change(runner, email, users.Changes(password=_password(password_stdin)), "user_updated")
    click.echo(f"{email} has a new password; all sessions have ended.")


@user_group.command()
@click.argument("email")
@click.pass_obj
def deactivate(runner: Runner, email: str) -> None:
    """Keep the user EMAIL out, at once. Nothing is deleted."""
    _change(runner, email, users.Changes(is_active=False), "user_deactivated")
    click.echo(f"{email} can no longer log in.")


@user_group.command()
@click.argument("email")
@click.pass_obj
def activate(runner: Runner, email: str) -> None:
    """Let the user EMAIL log in again."""
    _change(runner, email, users.Changes(is_active=True), "user_activated")
    click.echo(f"{email} can log in again.")


def _change(runner: Runner, email: str, changes: users.Changes, action_name: str) -> None:
    async def action(kernel: Kernel) -> None:
        async with kernel.db.transaction() as uow:
            user = await users.by_email(uow, as_typed_at_login(email))
            if user is None:
                raise NotFound("not_found", f"There is no user {email}; `elsehu user list --all` shows all of them.")
            await users.change(uow, kernel, user["id"], changes)
            await audit.record(uow, audit.COMMAND_LINE, action_name, f"user:{user['id']}", changes.for_audit())

    _run(runner, action)


def _password(password_stdin: bool) -> str:
    if password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _run(runner: Runner, action: Callable[[Kernel], Awaitable[Answer]]) -> Answer:
    try:
        return runner.run(action)
    except DomainError as error:
        raise click.ClickException(error.detail) from None
