"""What others keep of a contact: told by slices and plugins, so that it is handed out and erased with the rest."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from elsehu.db import UnitOfWork
from elsehu.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Person:
    """A contact as those who keep something of it need to know it.

    `ids` are the contact's own and those of contacts that were merged into it; `phones` are canonical digits.
    """

    ids: Sequence[UUID]
    phones: Sequence[str]
    conversation_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class ContactData:
    """What somebody keeps of contacts (plugins: the hook `register_contact_data`).

    `erase` makes it unrecognisable, in the transaction that erases the contact: figures may stay. `export` returns
    it as JSON has it.
    """

    name: str
    erase: Callable[[UnitOfWork, Person], Awaitable[None]]
    export: Callable[[UnitOfWork, Person], Awaitable[Any]]


class Keepers(tuple[ContactData, ...]):
    """What the process's other slices keep."""

    __slots__ = ()


def keepers(kernel: Kernel) -> Sequence[ContactData]:
    """Return all who keep something of contacts."""
    own: Sequence[ContactData] = kernel.parts.get(Keepers, ())
    return [*own, *(data for _, data in kernel.plugins.registered("register_contact_data"))]
