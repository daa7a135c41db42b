"""Restoring a backup into an empty database, with what cannot be as it was settled.

A backup is the past: what waited in it to be sent may have been sent since. So nothing of that is sent by itself:
such messages become `unconfirmed`, for people to settle, bulk lanes are closed, and plugins settle what is theirs.
"""

import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import asyncpg

from elsehu.backup import programs
from elsehu.backup.manifest import DATABASE, MANIFEST, MEDIA, Manifest, decode, no_backup
from elsehu.contracts.errors import ConfigError, ElsehuError
from elsehu.first_start import ensure_migrated
from elsehu.kernel import Kernel, open_kernel
from elsehu.media.types import OCTETS
from elsehu.plugins import Plugins
from elsehu.secretbox import fingerprint
from elsehu.settings import Settings

CHUNK = 256 * 1024
IS_EMPTY = "SELECT NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')"
SETTLE = """
UPDATE messages SET status = 'unconfirmed', status_rank = 2, claimed_until = NULL, next_attempt_at = NULL,
    error_code = 'restored', error_detail = 'This was on its way when the backup was made; it may have left since.'
WHERE status IN ('pending', 'sending')
"""
CLOSE_LANES = "UPDATE message_lanes SET is_open = false WHERE is_open"
RENAME = """
WITH files AS (UPDATE media_files SET storage = $2 WHERE storage = $1),
     made AS (UPDATE media_renditions SET storage = $2 WHERE storage = $1)
UPDATE unclaimed_objects SET storage = $2 WHERE storage = $1
"""
MIME_TYPE = """
SELECT mime_type FROM media_files WHERE storage_key = $1
UNION ALL SELECT mime_type FROM media_renditions WHERE storage_key = $1 LIMIT 1
"""

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it: files put back, and messages whose fate is open."""

    manifest: Manifest
    files: int
    unconfirmed: int


def read_manifest(path: Path) -> Manifest:
    """Return what the backup at `path` says of itself. Raises ElsehuError `no_backup`."""
    try:
        with tarfile.open(path, "r:") as archive:
            first = archive.next()
            if first is None or first.name != MANIFEST:
                raise no_backup("it does not begin with a manifest")
            return decode(_member(archive, first).read())
    except (tarfile.TarError, OSError) as error:
        raise no_backup(str(error)) from None


def check_keys(manifest: Manifest, settings: Settings) -> None:
    """Raise ConfigError unless one of the secret keys is the one that the backup was made with."""
    ours = {fingerprint(key) for key in settings.secret_keys}
    if not ours & set(manifest.keys):
        detail = (
            "The backup was made with another secret key, without which no number's credentials can be read. Set "
            "ELSEHU_SECRET_KEY to that key, or put its file `secret_key` into the data directory, and try again."
        )
        raise ConfigError("secret_key_differs", detail)


async def restore(settings: Settings, plugins: Plugins, path: Path, told: Told = lambda _: None) -> Restored:
    """Restore the backup at `path` into the empty database of `settings`.

    Raises ConfigError `secret_key_differs`, ElsehuError `no_backup`, `not_empty` or `backup_failed`, Unavailable.
    """
    manifest = read_manifest(path)
    check_keys(manifest, settings)
    await _require_empty(settings)
    with tarfile.open(path, "r:") as archive:
        told("database")
        await _restore_database(settings, archive)
        await ensure_migrated(settings, plugins, told)
        async with open_kernel(settings, plugins) as kernel:
            told("media")
            files = await _restore_media(kernel, archive)
            unconfirmed = await _settle(kernel)
    return Restored(manifest, files, unconfirmed)


async def _require_empty(settings: Settings) -> None:
    connection = await asyncpg.connect(_url(settings))
    try:
        if not await connection.fetchval(IS_EMPTY):
            detail = "The database has tables. Restore into an empty one: another data directory, or another database."
            raise ElsehuError("not_empty", detail)
    finally:
        await connection.close()


def _url(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


async def _restore_database(settings: Settings, archive: tarfile.TarFile) -> None:
    archive.next()
    entry = archive.next()
    if entry is None or entry.name != DATABASE:
        raise no_backup("it has no database")
    with tempfile.NamedTemporaryFile(prefix="elsehu-restore-") as file:
        _copy(_member(archive, entry), file)
        quiet = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
        await programs.run("pg_restore", _url(settings), *quiet, file.name)


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while chunk := source.read(CHUNK):
        target.write(chunk)
    target.flush()


def _member(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(entry)
    if file is None:
        raise no_backup(f"{entry.name} is no file")
    return file


async def _restore_media(kernel: Kernel, archive: tarfile.TarFile) -> int:
    """Put every object back under its key: into the storage that it was in, or, if that is not enabled, into ours."""
    count, moved = 0, set()
    while (entry := archive.next()) is not None:
        storage, key = _place(entry.name)
        target = storage if storage in kernel.plugins.storages() else kernel.plugins.storage_name
        mime_type = await kernel.db.fetch_value(MIME_TYPE, key) or OCTETS
        await kernel.plugins.storage_put(key, _chunks(_member(archive, entry)), mime_type, storage=target)
        count += 1
        if target != storage:
            moved.add((storage, target))
    for storage, target in moved:
        await kernel.db.execute(RENAME, storage, target)
    return count


def _place(name: str) -> tuple[str, str]:
    parts = PurePosixPath(name).parts
    if len(parts) < 3 or parts[0] != str(MEDIA):
        raise no_backup(f"{name} is out of place")
    return parts[1], str(PurePosixPath(*parts[2:]))


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


async def _settle(kernel: Kernel) -> int:
    async with kernel.db.transaction() as uow:
        settled = await uow.execute(SETTLE)
        await uow.execute(CLOSE_LANES)
        for _, settle in kernel.plugins.registered("register_after_restore"):
            await settle(uow)
    return int(settled.split()[-1])
