"""`elsehu sandbox …`: be the customer from a terminal, beside a running server."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import click
from pydantic import TypeAdapter, ValidationError

from elsehu.plugin import Directory, Instance, Kernel
from elsehu_sandbox.customer import act
from elsehu_sandbox.faults import Fault
from elsehu_sandbox.normalize import first_of
from elsehu_sandbox.phone import Line, phone_of, type_of

Answer = TypeVar("Answer")
FIRST_DAY = datetime.min.replace(tzinfo=UTC)
FAULTS = TypeAdapter(list[Fault])
instance_option = click.option("--instance", "name", help="Name of the number (default: the only sandbox one).")


class Program(Protocol):
    """The `elsehu` program as commands see it."""

    def run(self, work: Callable[[Kernel], Awaitable[Answer]]) -> Answer:
        """Open the kernel, run `work` with it, close it."""
        ...


@click.group("sandbox")
def sandbox_commands() -> None:
    """Try Elsehu out without a phone."""


@sandbox_commands.command()
@click.argument("text")
@click.option("--phone", default="+5511987654321", show_default=True, help="The customer's number.")
@click.option("--name", "customer", default="Maria Souza", show_default=True, help="The customer's name.")
@instance_option
@click.pass_obj
def say(program: Program, text: str, phone: str, customer: str, name: str | None) -> None:
    """A customer writes TEXT."""
    event = {"type": "message", "from": {"phone": phone, "name": customer}, "text": text}

    async def work(kernel: Kernel) -> tuple[Instance, bool]:
        instance = await chosen(kernel, name)
        try:
            _, taken = await act(kernel.plugins.context("sandbox"), instance, [event])
        except ValidationError as error:
            raise click.BadParameter(first_of(error)) from None
        return instance, taken

    instance, taken = program.run(work)
    if not taken:
        raise click.ClickException(
            f"{instance.name} keeps the message for later: its phone is offline, or no server answers at "
            f"{instance.webhook_url}. Start one with `elsehu serve`."
        )
    click.echo(f"{customer} ({phone}) wrote to {instance.name}.")


@sandbox_commands.command("phone")
@instance_option
@click.pass_obj
def show_phone(program: Program, name: str | None) -> None:
    """Show the messages on the phone."""

    async def work(kernel: Kernel) -> list[Line]:
        phone = phone_of(kernel.plugins.context("sandbox"), await chosen(kernel, name))
        return phone.between(FIRST_DAY, kernel.now())

    for line in program.run(work):
        if type_of(line) == "message":
            click.echo(_shown(line))


def _shown(line: Line) -> str:
    is_ours = line.get("direction") == "outbound"
    person = line["to" if is_ours else "from"]
    what = line.get("text") or f"[{line.get('kind', 'text')}]"
    return f"{line['at']}  {'to  ' if is_ours else 'from'} {person.get('phone') or person.get('lid')}  {what}"


@sandbox_commands.command()
@click.argument("faults")
@instance_option
@click.pass_obj
def faults(program: Program, faults: str, name: str | None) -> None:
    """Let FAULTS happen next, a JSON list such as '[{"kind": "throttle", "times": 2}]'; '[]' ends them."""
    try:
        sequence = FAULTS.validate_json(faults)
    except ValidationError as error:
        raise click.BadParameter(first_of(error)) from None

    async def work(kernel: Kernel) -> Instance:
        instance = await chosen(kernel, name)
        with phone_of(kernel.plugins.context("sandbox"), instance).changing() as state:
            state.faults = sequence
        return instance

    click.echo(f"{len(sequence)} faults are to come for {program.run(work).name}.")


async def chosen(kernel: Kernel, name: str | None) -> Instance:
    """Return the active sandbox instance called `name`, or the only one. Raises click.ClickException."""
    active = [one for one in await Directory(kernel).of_provider("sandbox") if one.is_active]
    found = [one for one in active if name in (None, one.name)]
    if len(found) == 1:
        return found[0]
    have = ", ".join(sorted(one.name for one in active)) or "none; create one by POST /api/service-instances"
    raise click.ClickException(f"Say which sandbox number with --instance. There are: {have}.")
