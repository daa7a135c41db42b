"""Making a backup while Elsehu runs: the dump and the list of files are of one snapshot of the database."""

import os
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

from elsehu import __version__
from elsehu.backup import programs
from elsehu.backup.manifest import DATABASE, MANIFEST, MEDIA, Manifest
from elsehu.contracts.errors import ElsehuError
from elsehu.db import Row, UnitOfWork
from elsehu.kernel import Kernel
from elsehu.secretbox import fingerprint

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many bytes of it are done, and how many there are (0: not known)."""

FILES = """
SELECT DISTINCT ON (storage, storage_key) storage, storage_key, size FROM (
    SELECT storage, storage_key, size FROM media_files WHERE storage_key IS NOT NULL
    UNION ALL SELECT storage, storage_key, size FROM media_renditions
) AS kept ORDER BY storage, storage_key
"""
IN_MEMORY = 1024 * 1024


async def create(kernel: Kernel, path: Path, told: Progress = lambda *_: None) -> tuple[Manifest, list[str]]:
    """Write a backup to `path`, whole or not at all; return its manifest and the keys of files that were gone.

    Raises ConfigError, ElsehuError `backup_failed` or `backup_exists`, and OSError.
    """
    with _whole(path) as file:
        return await _write(kernel, file, path.parent, told)


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a private file that is at `path` only once it is complete."""
    if path.exists():
        raise ElsehuError("backup_exists", f"There is a file {path} already. Give another name.")
    draft = path.with_name(f".{path.name}.partial")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


async def _write(kernel: Kernel, file: IO[bytes], beside: Path, told: Progress) -> tuple[Manifest, list[str]]:
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=beside) as folder:
        dump = Path(folder) / DATABASE
        told("database", 0, 0)
        async with _snapshot(kernel) as (uow, name):
            await programs.run("pg_dump", _url(kernel), "--format=custom", f"--snapshot={name}", f"--file={dump}")
            files = await uow.fetch(FILES)
            version = await uow.fetch_value("SHOW server_version")
        manifest = _manifest(kernel, version, files)
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            _add(archive, MANIFEST, manifest.encode())
            archive.add(dump, DATABASE)
            dump.unlink()
            missing = await _add_media(kernel, archive, files, manifest.size, told)
    return manifest, missing


@asynccontextmanager
async def _snapshot(kernel: Kernel) -> AsyncIterator[tuple[UnitOfWork, str]]:
    """Hold a snapshot that pg_dump can share. Its connection is the pool's, for as long as the dump takes."""
    async with kernel.db.session() as uow:
        await uow.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield uow, await uow.fetch_value("SELECT pg_export_snapshot()")
        finally:
            await uow.execute("ROLLBACK")


def _url(kernel: Kernel) -> str:
    assert kernel.settings.database_url is not None
    return kernel.settings.database_url.get_secret_value()


def _manifest(kernel: Kernel, postgresql: str, files: list[Row]) -> Manifest:
    return Manifest(
        created_at=kernel.now(),
        elsehu=__version__,
        postgresql=postgresql,
        keys=tuple(fingerprint(key) for key in kernel.settings.secret_keys),
        plugins=tuple(plugin.info.name for plugin in kernel.plugins.loaded),
        files=len(files),
        size=sum(file["size"] or 0 for file in files),
    )


async def _add_media(
    kernel: Kernel, archive: tarfile.TarFile, files: list[Row], total: int, told: Progress
) -> list[str]:
    missing, done = [], 0
    for file in files:
        told("media", done, total)
        if not await _add_object(kernel, archive, file["storage"], file["storage_key"]):
            missing.append(file["storage_key"])
        done += file["size"] or 0
    told("media", total, total)
    return missing


async def _add_object(kernel: Kernel, archive: tarfile.TarFile, storage: str, key: str) -> bool:
    """Add a stored object; one that was deleted since the snapshot is left out."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
        try:
            async with aclosing(kernel.plugins.storage_open(key, storage=storage)) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    spool.write(chunk)
        except FileNotFoundError:
            return False
        entry = tarfile.TarInfo(str(MEDIA / storage / key))
        entry.size, entry.mode = spool.tell(), 0o600
        spool.seek(0)
        archive.addfile(entry, spool)
    return True


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o600
    archive.addfile(entry, BytesIO(data))
