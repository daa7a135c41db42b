"""The files of a webhook's messages: bytes go to storage before any transaction, rows are made inside it."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from elsehu.contracts.inbound import Item, MessageArrived
from elsehu.db import UnitOfWork
from elsehu.kernel import Kernel
from elsehu.media import retention
from elsehu.media import service as media
from elsehu.media.service import NewFile

Files = Mapping[int, NewFile]
"""What each message's file becomes, by the identity (`id`) of its event."""


async def prepare(kernel: Kernel, items: Sequence[Item]) -> Files:
    """Store the bytes that came inside a webhook. Raises Unavailable where the storage fails."""
    files: dict[int, NewFile] = {}
    for item in items:
        if isinstance(item.event, MessageArrived) and item.event.media is not None:
            files[id(item.event)] = await media.prepare(kernel, item.instance_id, item.event.media)
    return files


async def create(uow: UnitOfWork, files: Files, items: Sequence[Item]) -> None:
    """Write the rows of the files of `items`."""
    await media.create(uow, [files[id(item.event)] for item in items if id(item.event) in files])


async def discard_unused(uow: UnitOfWork, files: Files, items: Sequence[Item], used: Collection[UUID]) -> None:
    """Delete the files of messages that were there already."""
    made = [files[id(item.event)].id for item in items if id(item.event) in files]
    unused = [media_id for media_id in made if media_id not in used]
    if unused:
        await retention.discard(uow, unused)
