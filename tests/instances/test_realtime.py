"""What the socket and plugins are told of instances."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from elsehu.clock import utc_now
from elsehu.contracts.user import Caller, Role
from elsehu.events import Event
from elsehu.instances.realtime import EVENT_TYPES
from elsehu.kernel import Kernel
from elsehu.testing.client import ApiClient


def event(seq: int, subject: UUID | None, data: dict[str, Any] | None = None) -> Event:
    return Event(seq, "instance:updated", subject, None, data, utc_now())


async def test_instance_updated_has_the_rest_shape(add: Callable[..., Any], admin: ApiClient, kernel: Kernel) -> None:
    added = await add()
    (kind,) = EVENT_TYPES
    refreshed = {"qrRefreshedAt": "2026-11-23T15:19:00.000Z"}
    known = UUID(added["id"])
    rendered = await kind.render(kernel, [event(1, known), event(2, known, refreshed), event(3, UUID(int=1))])
    assert dict(rendered[1].data) == added
    assert dict(rendered[2].data) == {**added, **refreshed}
    assert 3 not in rendered
    assert all(rendered[1].audience.includes(Caller(role, None, "")) for role in Role)
