"""What tests write and look up."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from elsehu.db import Row
from elsehu.instances.editing import create as create_instance
from elsehu.instances.schemas import NewInstance
from elsehu.kernel import Kernel
from elsehu.media.objects import store_bytes
from elsehu.media.service import NewFile, create, ready_file


async def add_instance(kernel: Kernel, name: str = "Support") -> UUID:
    new = NewInstance.model_validate({"name": name, "phone": "+5511988887777", "provider": "files"})
    async with kernel.db.transaction() as uow:
        return await create_instance(uow, kernel, new)


async def stored_file(kernel: Kernel, data: bytes, declared: str = "", name: str | None = None) -> UUID:
    """Store `data` and return the id of its file."""
    file = ready_file(await store_bytes(kernel, data, declared, name))
    return await written(kernel, file)


async def written(kernel: Kernel, file: NewFile) -> UUID:
    async with kernel.db.transaction() as uow:
        await create(uow, [file])
    return file.id


async def row_of(kernel: Kernel, media_id: UUID) -> Row:
    row = await kernel.db.fetch_row("SELECT * FROM media_files WHERE id = $1", media_id)
    assert row is not None
    return row


async def until(condition: Callable[[], Any], seconds: float = 15) -> None:
    """Wait until `condition` (sync or async) holds."""
    async with asyncio.timeout(seconds):
        while True:
            holds = condition()
            if asyncio.iscoroutine(holds):
                holds = await holds
            if holds:
                return
            await asyncio.sleep(0.02)
