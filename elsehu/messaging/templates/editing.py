"""Making, changing and deleting templates. A provider is asked first, and what it answers is what is kept."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from elsehu.contracts.errors import Conflict, FieldError
from elsehu.contracts.template import ProviderTemplate, TemplateButton, TemplateHeader, TemplateStatus
from elsehu.db import Row, UnitOfWork
from elsehu.http.operations import Call
from elsehu.http.schemas import NoQuery
from elsehu.identity import audit
from elsehu.messaging.templates import listing, owners, storing
from elsehu.messaging.templates.checking import is_named, require
from elsehu.messaging.templates.owners import Owner
from elsehu.messaging.templates.schemas import ButtonIn, HeaderIn, TemplateIn, TemplatePatch
from elsehu.messaging.templates.stored import template_of
from elsehu.messaging.templates.variables import names_in

EDITABLE = frozenset({TemplateStatus.APPROVED, TemplateStatus.REJECTED, TemplateStatus.PAUSED})
BUTTON_TYPES = frozenset({"quick_reply", "url", "phone", "copy_code", "contact_request"})


async def create(call: Call[TemplateIn, NoQuery]) -> Row:
    """Make a template; return its row. Raises Invalid, NotFound, Conflict and ProviderError."""
    kernel, body = call.kernel, call.body
    owner = await owners.owner(kernel, body.service_instance_id, owners.SAVE)
    wanted = _wanted(body)
    require(wanted, with_examples=owner.keeper is not None)
    async with owners.alone(kernel, owner, body.name, body.language):
        await _require_free(call, body)
        names = {"name": body.name, "language": body.language, "serviceInstanceId": owner.instance_id}
        return await _save(call, owner, wanted, None, names)


async def change(call: Call[TemplatePatch, NoQuery]) -> Row:
    """Change a template; return its row. One that would not change is not shown to the provider. Raises as `create`."""
    kernel, template_id = call.kernel, call.path_id()
    row = await listing.one(kernel.db, template_id)
    owner = await owners.owner(kernel, row["instance_id"], owners.SAVE)
    async with owners.alone(kernel, owner, row["name"], row["language"]):
        row = await listing.one(kernel.db, template_id)
        before = template_of(row)
        wanted = _changed(before, call.body)
        if owner.keeper is not None:
            _require_editable(before)
        require(wanted, with_examples=owner.keeper is not None)
        if wanted == before:
            return row
        return await _save(call, owner, wanted, row, {"fields": sorted(call.body.model_fields_set)})


async def remove(call: Call[None, NoQuery]) -> None:
    """Delete a template, at its provider first. Raises as `create`."""
    kernel, template_id = call.kernel, call.path_id()
    row = await listing.one(kernel.db, template_id)
    owner = await owners.owner(kernel, row["instance_id"], owners.DELETE)
    async with owners.alone(kernel, owner, row["name"], row["language"]):
        row = await listing.one(kernel.db, template_id)
        await owners.delete(kernel, owner, template_of(row))
        async with call.transaction() as uow:
            await storing.archive(uow, template_id, kernel.now())
            await _audit(uow, call, "template_deleted", template_id, {"name": row["name"], "language": row["language"]})


async def _save(
    call: Call[Any, Any], owner: Owner, wanted: ProviderTemplate, before: Row | None, details: Mapping[str, Any]
) -> Row:
    kernel = call.kernel
    asked = storing.Asked(kernel.now(), before)
    made = await owners.save(kernel, owner, wanted)
    async with call.transaction() as uow:
        template_id = await storing.store_one(uow, owner.instance_id, made, asked, kernel.now())
        action = "template_changed" if before else "template_created"
        await _audit(uow, call, action, template_id, details)
        return await listing.one(uow, template_id)


async def _audit(uow: UnitOfWork, call: Call[Any, Any], action: str, subject: UUID, details: Mapping[str, Any]) -> None:
    await audit.record(uow, call.caller, action, f"template:{subject}", dict(details), **audit.origin(call.request))


async def _require_free(call: Call[Any, Any], body: TemplateIn) -> None:
    taken = await listing.id_of(call.kernel.db, body.service_instance_id, body.name, body.language)
    if taken is not None:
        problem = FieldError("name", "is taken in this language")
        detail = "There is a template of this name in this language already: change that one, or choose another name."
        raise Conflict("template_exists", detail, errors=[problem], templateId=str(taken))


def _require_editable(template: ProviderTemplate) -> None:
    """Raise Conflict where the provider would refuse any change, or where ours would lose something."""
    if not template.supported or not {button.type for button in template.buttons} <= BUTTON_TYPES:
        detail = "This template has parts that Elsehu cannot write. Change it at the provider."
        raise Conflict("template_not_editable", detail)
    if template.status not in EDITABLE:
        detail = f"A template that is {template.status} cannot be changed; wait, or make another one."
        raise Conflict("template_not_editable", detail)


def _wanted(body: TemplateIn) -> ProviderTemplate:
    header = _header(body.header)
    return ProviderTemplate(
        name=body.name,
        language=body.language,
        category=body.category,
        status=TemplateStatus.PENDING,
        body=body.body,
        header=header,
        footer=body.footer,
        buttons=_buttons(body.buttons),
        named=is_named(body.body, header.text if header else None),
        examples=tuple(body.examples),
    )


def _changed(before: ProviderTemplate, patch: TemplatePatch) -> ProviderTemplate:
    """Return the template with what is in `patch`. Examples of another number of variables than there are now go."""
    new: dict[str, Any] = {name: getattr(patch, name) for name in patch.model_fields_set}
    if "header" in new:
        new["header"] = _header(patch.header)
    if "buttons" in new:
        new["buttons"] = _buttons(patch.buttons)
    if "examples" in new:
        new["examples"] = tuple(patch.examples)
    elif len(names_in(new.get("body", before.body))) != len(before.examples):
        new["examples"] = ()
    after = replace(before, **new)
    return replace(after, named=is_named(after.body, after.header.text if after.header else None))


def _header(header: HeaderIn | None) -> TemplateHeader | None:
    return TemplateHeader(header.format, header.text, header.example) if header else None


def _buttons(buttons: list[ButtonIn]) -> tuple[TemplateButton, ...]:
    return tuple(TemplateButton(one.type, one.text, one.url, one.phone, one.example) for one in buttons)
