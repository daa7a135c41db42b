"""The files of a webhook's messages: bytes go to storage before any transaction, rows are made inside it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from elsehu.contracts.inbound import Item, MediaContent, MessageArrived
from elsehu.db import UnitOfWork
from elsehu.kernel import Kernel
from elsehu.media import service as media
from elsehu.media.service import StoredMedia


@dataclass(slots=True)
class Attachments:
    """What was stored for a webhook (by the identity of its MediaContent), and the rows made for it."""

    kernel: Kernel | None = None
    stored: dict[int, StoredMedia] = field(default_factory=dict)
    created: dict[UUID, StoredMedia | None] = field(default_factory=dict)

    @classmethod
    async def store(cls, kernel: Kernel, items: Sequence[Item]) -> "Attachments":
        """Put the bytes that came inside a webhook into storage."""
        attachments = cls(kernel)
        for content in _contents(items):
            if content.data is not None:
                attachments.stored[id(content)] = await media.store_bytes(
                    kernel, content.data, content.mime_type, content.file_name
                )
        return attachments

    @classmethod
    def joined(cls, many: Sequence["Attachments"]) -> "Attachments":
        """Return one view on the files of several webhooks."""
        whole = cls(many[0].kernel if many else None)
        for one in many:
            whole.stored |= one.stored
        return whole

    async def create(self, uow: UnitOfWork, instance_id: UUID, event: MessageArrived) -> UUID | None:
        """Make the row of a message's file: ready where its bytes came along, else to be fetched."""
        if event.media is None:
            return None
        stored = self.stored.get(id(event.media))
        if stored is None:
            media_id = await media.create_pending(uow, instance_id, event.media)
        else:
            media_id = await media.create_ready(uow, stored, instance_id=instance_id, is_voice=event.media.is_voice)
        self.created[media_id] = stored
        return media_id

    async def drop_unused(self, uow: UnitOfWork, used: Collection[UUID | None]) -> None:
        """Forget the files of messages that were there already; their bytes go once that is committed."""
        unused = {media_id: stored for media_id, stored in self.created.items() if media_id not in used}
        if unused:
            await uow.execute("DELETE FROM media_files WHERE id = ANY($1::uuid[])", list(unused))
            uow.after_commit(lambda: self._delete(stored for stored in unused.values() if stored))
        self.created = {}

    async def _delete(self, unused: Iterable[StoredMedia]) -> None:
        if self.kernel is not None:
            for stored in unused:
                await self.kernel.plugins.storage_delete(stored.key)


def _contents(items: Sequence[Item]) -> Iterable[MediaContent]:
    return (item.event.media for item in items if isinstance(item.event, MessageArrived) and item.event.media)
