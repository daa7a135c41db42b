"""What the socket tells of instances: their REST shape, and when their QR code was refreshed, never the code."""

from collections.abc import Mapping, Sequence

from elsehu.events import Event
from elsehu.instances.queries import several
from elsehu.instances.views import instance_view
from elsehu.kernel import Kernel
from elsehu.realtime.registry import EVERYBODY, EventType, Rendered


async def render_updated(kernel: Kernel, events: Sequence[Event]) -> Mapping[int, Rendered]:
    """Render `instance:updated`. Who may see a new QR code asks `GET …/qrcode` for it."""
    rows = await several(kernel, [event.subject_id for event in events if event.subject_id])
    return {
        event.seq: Rendered(
            {**instance_view(kernel, rows[event.subject_id]), **(event.data or {})},
            EVERYBODY,
            {"serviceInstanceId": str(event.subject_id)},
        )
        for event in events
        if event.subject_id in rows
    }


EVENT_TYPES = (EventType("instance:updated", render_updated, hook="instance_updated"),)
