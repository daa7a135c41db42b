"""HTTP operations on contacts."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog
from starlette.responses import Response, StreamingResponse

from elsehu.contracts.errors import PermissionDenied, Unavailable
from elsehu.contracts.user import Role
from elsehu.db import UnitOfWork
from elsehu.http.operations import ADMINS, Call, Operation
from elsehu.http.schemas import NoQuery
from elsehu.identity import audit
from elsehu.media import retention
from elsehu.messaging.contacts import editing as contact_editing
from elsehu.messaging.contacts import erasing, exporting
from elsehu.messaging.contacts.listing import contact_page, get_contact, hold_contact
from elsehu.messaging.inbound.retrying import retrying
from elsehu.messaging.schemas import (
    ContactDeletion,
    ContactIn,
    ContactOut,
    ContactPage,
    ContactPatch,
    ContactQuery,
    MergeContacts,
)

log = structlog.get_logger("elsehu.contacts")

TAG = "contacts"
ONE = "/api/contacts/{id}"
View = dict[str, Any]


async def list_contacts(call: Call[None, ContactQuery]) -> View:
    """Newest first. `search` finds words of the name or e-mail without regard to accents, and phones."""
    return await contact_page(call.kernel, call.query)


async def create_contact(call: Call[ContactIn, NoQuery]) -> View:
    """409 `contact_exists` (with its `contactId`) if somebody has the phone; an archived contact comes back."""
    async with call.transaction() as uow:
        contact_id = await contact_editing.create(uow, call.body, _region(call))
    return await get_contact(call.kernel.db, contact_id)


async def show_contact(call: Call[None, NoQuery]) -> View:
    """The id of a contact that was merged into another leads to that one."""
    return await get_contact(call.kernel.db, call.path_id())


async def change_contact(call: Call[ContactPatch, NoQuery]) -> View:
    """What is left out stays. Another phone moves the contact's address: 409 `contact_exists` if it is another's."""
    contact_id, changes = call.path_id(), call.body.model_dump(exclude_unset=True)

    async def write(uow: UnitOfWork, _: object) -> None:
        await contact_editing.update(uow, contact_id, changes, _region(call))

    await retrying(call.kernel, write)
    return await get_contact(call.kernel.db, contact_id)


async def delete_contact(call: Call[None, ContactDeletion]) -> None:
    """Hide a contact until it writes or is added again. `erase=true` (ADMIN) makes it unrecognisable for good."""
    if call.query.erase:
        await _erase(call)
        return
    async with call.transaction() as uow:
        contact_id = await hold_contact(uow, call.path_id())
        await contact_editing.set_archived(uow, contact_id, call.kernel.now())


async def _erase(call: Call[None, ContactDeletion]) -> None:
    if call.caller.role is not Role.ADMIN:
        raise PermissionDenied("forbidden", "Only an ADMIN may erase a contact. Without `erase` it is archived.")

    async def write(uow: UnitOfWork, _: object) -> None:
        contact_id = await erasing.erase(uow, call.kernel, call.path_id())
        subject = f"contact:{contact_id}"
        await audit.record(uow, call.caller, "contact_erased", subject, **audit.origin(call.request))

    await retrying(call.kernel, write)
    try:
        await retention.remove_orphans(call.kernel)
    except Unavailable as error:
        log.warning("erased_files_wait_for_sweep", code=error.code)


async def export_contact(call: Call[None, NoQuery]) -> Response:
    """Hand out everything that is kept of the contact: for the person that it is about."""
    file = await exporting.exported(call.kernel, call.path_id())
    async with call.transaction() as uow:
        subject = f"contact:{call.path_id()}"
        await audit.record(uow, call.caller, "contact_exported", subject, **audit.origin(call.request))
    headers = {"Content-Disposition": f'attachment; filename="contact-{call.path_id()}.zip"'}
    return StreamingResponse(exporting.chunks_of(file), headers=headers, media_type="application/zip")


async def opt_out(call: Call[None, NoQuery]) -> View:
    """Record that the contact wants no campaigns."""
    return await _set_opted_out(call, is_out=True)


async def opt_in(call: Call[None, NoQuery]) -> View:
    """Record that the contact wants campaigns again."""
    return await _set_opted_out(call, is_out=False)


async def _set_opted_out(call: Call[None, NoQuery], *, is_out: bool) -> View:
    async with call.transaction() as uow:
        contact_id = await hold_contact(uow, call.path_id())
        await contact_editing.set_consent(uow, contact_id, call.kernel.now(), accepts=not is_out)
    return await get_contact(call.kernel.db, contact_id)


async def merge_contacts(call: Call[MergeContacts, NoQuery]) -> View:
    """Make one contact of several: the oldest is kept, with everybody's addresses, conversations and messages."""

    async def write(uow: UnitOfWork, _: object) -> UUID:
        kept = await contact_editing.merge_contacts(uow, call.body.contact_ids)
        details = {"contact_ids": list(map(str, call.body.contact_ids))}
        await audit.record(
            uow, call.caller, "contacts_merged", f"contact:{kept}", details, **audit.origin(call.request)
        )
        return kept

    return await get_contact(call.kernel.db, await retrying(call.kernel, write))


def _region(call: Call[Any, Any]) -> str:
    return call.kernel.settings.messaging.default_region


OPERATIONS: Sequence[Operation] = (
    Operation(
        "GET", "/api/contacts", list_contacts, "List contacts", TAG, query=ContactQuery, answer=ContactPage
    ),
    Operation(
        "POST", "/api/contacts", create_contact, "Add a contact", TAG,
        body=ContactIn, answer=ContactOut, status=201, refusals=(409,),
    ),
    Operation(
        "POST", "/api/contacts/merge", merge_contacts, "Make one contact of several", TAG, ADMINS,
        body=MergeContacts, answer=ContactOut, refusals=(404,),
    ),
    Operation("GET", ONE, show_contact, "Show a contact", TAG, answer=ContactOut, refusals=(404,)),
    Operation(
        "PATCH", ONE, change_contact, "Change a contact", TAG,
        body=ContactPatch, answer=ContactOut, refusals=(404, 409),
    ),
    Operation(
        "DELETE",
        ONE,
        delete_contact,
        "Archive or erase a contact",
        TAG,
        query=ContactDeletion,
        refusals=(403, 404, 409),
    ),
    Operation(
        "GET", ONE + "/export", export_contact, "Everything that is kept of a contact, as a ZIP", TAG, ADMINS,
        answer_media_type="application/zip", refusals=(404,),
    ),
    Operation(
        "POST", ONE + "/opt-out", opt_out, "Record a refusal of campaigns", TAG, answer=ContactOut, refusals=(404,)
    ),
    Operation(
        "POST", ONE + "/opt-in", opt_in, "Take a refusal of campaigns back", TAG, answer=ContactOut, refusals=(404,)
    ),
)  # fmt: skip
