"""What slices offer to the socket: event types that go out, client events that come in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import structlog
from pydantic import BaseModel

from elsehu.contracts.errors import ConfigError
from elsehu.contracts.user import Caller, Queue, Role
from elsehu.db import CONNECTION_LOST
from elsehu.events import Event
from elsehu.kernel import Kernel

if TYPE_CHECKING:
    from elsehu.realtime.session import Session

log = structlog.get_logger("elsehu.realtime")


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may see something: everybody with one of `roles` (of them, who serves `queue`), and the `users` by name."""

    roles: frozenset[Role]
    users: frozenset[UUID] = frozenset()
    queue: Queue | None = None

    def includes(self, caller: Caller) -> bool:
        """Whether `caller` may see it."""
        if caller.user_id in self.users:
            return True
        return caller.role in self.roles and (self.queue is None or caller.serves(self.queue))


EVERYBODY = Audience(frozenset(Role))


@dataclass(frozen=True, slots=True)
class Farewell:
    """The last thing that somebody gets who may not see a subject any more: trimmed `data`, to `audience`.

    Whoever may still see the subject gets the whole event instead.
    """

    data: Mapping[str, Any]
    audience: Audience


@dataclass(frozen=True, slots=True)
class Rendered:
    """An event as it is shown now, and who may see it.

    `data` has the REST shape. `labels` are what an inbox filter compares (`status`, `assignedTo`,
    `serviceInstanceId`), as text.
    """

    data: Mapping[str, Any]
    audience: Audience
    labels: Mapping[str, str] = field(default_factory=dict)
    farewell: Farewell | None = None


Named = TypeVar("Named", "EventType", "ClientEvent")
Render = Callable[[Kernel, Sequence[Event]], Awaitable[Mapping[int, Rendered]]]


@dataclass(frozen=True, slots=True)
class EventType:
    """An event that goes out.

    `render` gets all events of this type of a batch and returns what to show by `event.seq`; one that is left
    out is shown to nobody (its subject is gone). An event with a conversation goes to that conversation's room
    and to inboxes, one without to everybody in its audience. Inboxes compare their filter with the labels; of
    an event that `moves` its subject only the instance, so that a list learns what has left it. `hook` is
    the notification that tells plugins.
    """

    name: str
    render: Render
    moves: bool = False
    hook: str | None = None


Handler = Callable[[Kernel, Caller, "Session", Any], Awaitable[Mapping[str, Any] | None]]


@dataclass(frozen=True, slots=True)
class ClientEvent:
    """An event that comes in: `handler(kernel, caller, session, data)` gets `data` validated by `schema`.

    What it returns is acknowledged; a DomainError that it raises becomes an error frame.
    """

    name: str
    schema: type[BaseModel]
    handler: Handler


class Registry:
    """Every event type and client event of a process, by name."""

    def __init__(self, event_types: Sequence[EventType], client_events: Sequence[ClientEvent]) -> None:
        """Raises ConfigError for a name that two claim."""
        self.event_types = by_name(event_types)
        self.client_events = by_name(client_events)

    async def render(self, kernel: Kernel, events: Sequence[Event]) -> dict[int, Rendered]:
        """Return what to show of `events`, by number. Raises one of CONNECTION_LOST while PostgreSQL is away."""
        rendered: dict[int, Rendered] = {}
        for name in dict.fromkeys(event.type for event in events):
            if name in self.event_types:
                same = [event for event in events if event.type == name]
                rendered |= await self._render(kernel, self.event_types[name], same)
        return rendered

    async def _render(self, kernel: Kernel, kind: EventType, events: Sequence[Event]) -> Mapping[int, Rendered]:
        """Render events of one type together; if that breaks, each alone, so that one cannot block the others."""
        try:
            return await kind.render(kernel, events)
        except CONNECTION_LOST:
            raise
        except Exception:
            log.exception("event_not_rendered", type=kind.name, seqs=[event.seq for event in events])
        if len(events) == 1:
            return {}
        alone = [await self._render(kernel, kind, [event]) for event in events]
        return {seq: one for rendered in alone for seq, one in rendered.items()}


def by_name(offered: Sequence[Named]) -> dict[str, Named]:
    """Return event types or client events by name. Raises ConfigError for a name that two claim."""
    found: dict[str, Named] = {}
    for one in offered:
        if one.name in found:
            raise ConfigError(
                "event_conflict",
                f"Two parts claim the event {one.name!r}: {_place(found[one.name])} and {_place(one)}. A plugin's "
                "events begin with its name; enable only one of the plugins in [plugins] enabled, or update one.",
            )
        found[one.name] = one
    return found


def _place(offered: EventType | ClientEvent) -> str:
    function = offered.render if isinstance(offered, EventType) else offered.handler
    return getattr(function, "__module__", "an unknown module")
