"""What the socket tells of imports: their REST shape, to those who may import."""

from collections.abc import Mapping, Sequence

from elsehu.events import Event
from elsehu.http.operations import SUPERVISORS
from elsehu.kernel import Kernel
from elsehu.messaging.contacts.importing.listing import several
from elsehu.realtime.registry import Audience, Rendered


async def render_imports(kernel: Kernel, events: Sequence[Event]) -> Mapping[int, Rendered]:
    """Render `import:updated`."""
    views = await several(kernel.db, [event.subject_id for event in events if event.subject_id])
    return {
        event.seq: Rendered(views[event.subject_id], Audience(SUPERVISORS))
        for event in events
        if event.subject_id in views
    }
