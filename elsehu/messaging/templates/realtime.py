"""What the socket tells of templates: their REST shape, and of deleted ones that they are."""

from collections.abc import Mapping, Sequence

from elsehu.events import Event
from elsehu.kernel import Kernel
from elsehu.messaging.templates.listing import several, template_view
from elsehu.realtime.registry import EVERYBODY, Rendered


async def render_templates(kernel: Kernel, events: Sequence[Event]) -> Mapping[int, Rendered]:
    """Render `template:updated`: the template, to everybody, with `deleted`."""
    rows = await several(kernel.db, [event.subject_id for event in events if event.subject_id])
    rendered = {}
    for event in events:
        if event.subject_id in rows:
            row = rows[event.subject_id]
            view = {**template_view(row), "deleted": row["archived_at"] is not None}
            rendered[event.seq] = Rendered(view, EVERYBODY, {"serviceInstanceId": str(row["instance_id"] or "")})
    return rendered
