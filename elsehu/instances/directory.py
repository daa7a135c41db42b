"""The instances as plugins are given them, kept in memory for a moment."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from elsehu.contracts.instance import Instance
from elsehu.db import CONNECTION_LOST, Row
from elsehu.instances.opening import READ, Opened, instance_of, open_row, sealed_parts
from elsehu.instances.refusals import not_found
from elsehu.kernel import Kernel
from elsehu.secretbox import WrongSecretKey

log = structlog.get_logger("elsehu.instances")

SIGNAL = "instances"
MAX_AGE = 10.0
TOUCH_SECONDS = 30.0
PATIENCE = 2.0
"""Seconds that a look into the database may take before what is known must do."""
STALE_SECONDS = 1.0


class Directory:
    """This process's view of all instances, at most MAX_AGE seconds old, dropped at once when one changes.

    While the database is away it stays as it was.

    An instance whose secrets no configured key can read does not hold up the others: `of_provider` leaves it
    out, asking for itself raises WrongSecretKey, and `has_unreadable` tells of it.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._instances: dict[UUID, Instance] = {}
        self._of_provider: dict[str, tuple[Instance, ...]] = {}
        self._unreadable: dict[UUID, str] = {}
        self._opened: dict[UUID, tuple[tuple[Any, ...], Opened]] = {}
        self._touched: dict[UUID, float] = {}
        self._good_until = 0.0
        self._is_loaded = False
        self._changes = 0
        self._loading = asyncio.Lock()
        kernel.signals.listen(SIGNAL, self.drop)

    def drop(self) -> None:
        """Have the next look ask the database."""
        self._changes += 1
        self._good_until = 0.0

    async def get(self, instance_id: UUID) -> Instance | None:
        """Return an instance, active or not, or None. Raises WrongSecretKey where its secrets cannot be read."""
        instance = (await self._fresh()).get(instance_id)
        if instance is None and instance_id in self._unreadable:
            raise WrongSecretKey(f"the secrets of instance {instance_id} cannot be read with the configured keys")
        return instance

    async def of_provider(self, name: str) -> Sequence[Instance]:
        """Return the readable instances, active or not, of a provider, by its name or one of its webhook names."""
        spec = self._kernel.plugins.spec(name)
        await self._fresh()
        return self._of_provider.get(spec.name if spec else name, ())

    def has_unreadable(self, provider: str) -> bool:
        """Whether secrets of some of the provider's instances could not be read when last looked at."""
        return provider in self._unreadable.values()

    async def load(self, instance_id: UUID) -> Instance:
        """Return an instance as it is in the database now. Raises NotFound or WrongSecretKey."""
        row = await self._kernel.db.fetch_row(READ + "WHERE id = $1", instance_id)
        if row is None:
            raise not_found(instance_id)
        return self._instance(row)

    def due_for_touch(self, instance_ids: Iterable[UUID]) -> list[UUID]:
        """Return those of `instance_ids` that this process has not returned here for TOUCH_SECONDS."""
        now = time.monotonic()
        due = [one for one in set(instance_ids) if now - self._touched.get(one, -TOUCH_SECONDS) >= TOUCH_SECONDS]
        self._touched.update(dict.fromkeys(due, now))
        return due

    async def _fresh(self) -> Mapping[UUID, Instance]:
        if time.monotonic() >= self._good_until:
            async with self._loading:
                if time.monotonic() >= self._good_until:
                    await self._load_if_possible()
        return self._instances

    async def _load_if_possible(self) -> None:
        """Load; while the database is away, what was known must do. Raises one of CONNECTION_LOST if nothing is."""
        changes = self._changes
        try:
            async with asyncio.timeout(PATIENCE if self._is_loaded else None):
                await self._load()
        except CONNECTION_LOST as error:
            if not self._is_loaded or changes != self._changes:
                raise
            log.warning("instances_may_be_old", error=type(error).__name__)
            self._good_until = time.monotonic() + STALE_SECONDS

    async def _load(self) -> None:
        changes = self._changes
        instances: dict[UUID, Instance] = {}
        unreadable: dict[UUID, str] = {}
        for row in await self._kernel.db.fetch(READ + "ORDER BY id"):
            try:
                instances[row["id"]] = self._instance(row)
            except WrongSecretKey:
                unreadable[row["id"]] = row["provider"]
        for instance_id in unreadable.keys() - self._unreadable.keys():
            log.error("instance_unreadable", instance=str(instance_id), fix="restore the old key in ELSEHU_SECRET_KEY")
        self._opened = {one: opened for one, opened in self._opened.items() if one in instances}
        self._instances, self._unreadable = instances, unreadable
        names = {one.provider for one in instances.values()}
        self._is_loaded = True
        self._of_provider = {name: tuple(one for one in instances.values() if one.provider == name) for name in names}
        if changes == self._changes:
            self._good_until = time.monotonic() + MAX_AGE

    def _instance(self, row: Row) -> Instance:
        """Return the row's instance; decrypt only what has changed since the last time."""
        sealed = sealed_parts(row)
        known = self._opened.get(row["id"])
        if known is None or known[0] != sealed:
            known = self._opened[row["id"]] = (sealed, open_row(self._kernel, row))
        return instance_of(self._kernel, row, known[1])
