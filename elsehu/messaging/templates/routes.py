"""`/api/templates`."""

from collections.abc import Sequence
from typing import Any

from elsehu.http.operations import SUPERVISORS, Call, Operation
from elsehu.http.schemas import NoQuery
from elsehu.identity import audit
from elsehu.messaging.outbound.schemas import TemplateValues
from elsehu.messaging.templates import editing, filling, listing, rendering, syncing
from elsehu.messaging.templates.schemas import (
    PreviewOut,
    RenderedButtonOut,
    SyncOut,
    SyncQuery,
    TemplateIn,
    TemplateOut,
    TemplatePage,
    TemplatePatch,
    TemplateQuery,
)
from elsehu.messaging.templates.stored import template_of

TAG = "templates"
ALL = "/api/templates"
ONE = ALL + "/{id}"
View = dict[str, Any]


async def list_templates(call: Call[None, TemplateQuery]) -> View:
    """By name and language. `sendableFrom` shows what can be sent from a number now, templates of our own among it."""
    return await listing.template_page(call.kernel, call.query)


async def get_template(call: Call[None, NoQuery]) -> View:
    """`variables` says what is to be filled in for sending it."""
    return listing.template_view(await listing.one(call.kernel.db, call.path_id()))


async def create_template(call: Call[TemplateIn, NoQuery]) -> View:
    """With a number whose provider has templates it is made there, and what the provider answers is kept.

    Otherwise it is our own, approved at once and sent as text. 409 `template_exists` if the name is taken in its
    language; 422 `refused_by_provider`.
    """
    return listing.template_view(await editing.create(call))


async def change_template(call: Call[TemplatePatch, NoQuery]) -> View:
    """What is left out stays. 409 `template_not_editable` where the provider takes no changes now."""
    return listing.template_view(await editing.change(call))


async def delete_template(call: Call[None, NoQuery]) -> None:
    """One language of it, at its provider too. Messages that were sent with it stay."""
    await editing.remove(call)


async def sync_templates(call: Call[None, SyncQuery]) -> View:
    """Fetch all templates of a number's account; those that are gone there are gone here. It is done by itself, too."""
    instance_id = call.query.service_instance_id
    found = await syncing.sync_number(call.kernel, instance_id)
    async with call.transaction() as uow:
        origin = audit.origin(call.request)
        await audit.record(uow, call.caller, "templates_synced", f"instance:{instance_id}", found, **origin)
    return found


async def preview_template(call: Call[TemplateValues, NoQuery]) -> PreviewOut:
    """Show it filled in as far as the values go, and say which are missing or too many."""
    template = template_of(await listing.one(call.kernel.db, call.path_id()))
    rendered = rendering.render(template, call.body)
    return PreviewOut(
        header=rendered.header,
        body=rendered.body,
        footer=rendered.footer,
        buttons=[RenderedButtonOut(type=one.type, text=one.text, value=one.value) for one in rendered.buttons],
        text=rendered.text,
        missing=[one.path for one in filling.missing(template, call.body)],
        extra=filling.needless(template, call.body),
    )


OPERATIONS: Sequence[Operation] = (
    Operation("GET", ALL, list_templates, "List templates", TAG, query=TemplateQuery, answer=TemplatePage),
    Operation("GET", ONE, get_template, "See a template", TAG, answer=TemplateOut),
    Operation(
        "POST", ALL, create_template, "Add a template", TAG, SUPERVISORS,
        body=TemplateIn, answer=TemplateOut, status=201, refusals=(404, 409, 502),
    ),
    Operation(
        "PATCH", ONE, change_template, "Change a template", TAG, SUPERVISORS,
        body=TemplatePatch, answer=TemplateOut, refusals=(404, 409, 502),
    ),
    Operation("DELETE", ONE, delete_template, "Delete a template", TAG, SUPERVISORS, refusals=(404, 409, 422, 502)),
    Operation(
        "POST", ALL + "/sync", sync_templates, "Fetch a number's templates from its provider", TAG, SUPERVISORS,
        query=SyncQuery, answer=SyncOut, refusals=(404, 409, 502),
    ),
    Operation(
        "POST", ONE + "/preview", preview_template, "See a template filled in", TAG,
        body=TemplateValues, answer=PreviewOut, body_optional=True, refusals=(404,),
    ),
)  # fmt: skip
