"""The zip around a workbook, read with a bound on what it may unpack to."""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from elsehu.sheets import refusals
from elsehu.sheets.model import MIB, Limits

LONGEST_READ = MIB
"""More than any piece that we read. Only the list of a zip's parts is read in one go: 20,000 of them fit."""

IS_ENCRYPTED = 0x1
PIECE = 8 * 1024
"""Bytes. All rows of a piece are in memory together, and a few bytes can refer to a long text."""


class _ShortReads(io.BufferedReader):
    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LONGEST_READ:
            raise BadZipFile("too many parts")
        return super().read(size)


class Package:
    """The parts of a workbook. Together they may unpack to `limits.inflated_bytes`."""

    def __init__(self, archive: ZipFile, limits: Limits) -> None:
        self._archive = archive
        self._parts = {info.filename.lstrip("/").lower(): info for info in archive.infolist()}
        self._limits = limits
        self._left = limits.inflated_bytes

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._parts

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of a part. Raises Invalid (damaged), TooLarge, UnsupportedMedia (encrypted)."""
        info = self._parts.get(name.lower())
        if info is None:
            raise refusals.damaged()
        self._check(info)
        with self._archive.open(info) as part:
            yield from self._bounded(part)

    def _check(self, info: ZipInfo) -> None:
        if info.flag_bits & IS_ENCRYPTED:
            raise refusals.encrypted()
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or info.header_offset < 0:
            raise refusals.damaged()
        if info.file_size > self._left:
            raise refusals.inflates_too_much(self._limits)

    def _bounded(self, part: IO[bytes]) -> Iterator[bytes]:
        """Count what really comes: what the zip declares is a claim."""
        while piece := part.read(PIECE):
            self._left -= len(piece)
            if self._left < 0:
                raise refusals.inflates_too_much(self._limits)
            yield piece


@contextmanager
def opened_package(path: Path, limits: Limits) -> Iterator[Package]:
    """Open the zip at `path`. Raises Invalid (damaged), here and wherever in the block it turns out to be."""
    try:
        with _ShortReads(io.FileIO(path)) as file, ZipFile(file) as archive:
            yield Package(archive, limits)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise refusals.damaged() from error
