"""Voice notes: where a provider demands OGG with OPUS, recordings are turned into it, if the system has ffmpeg."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from elsehu.contracts.errors import FieldError, Invalid, TooLarge
from elsehu.db import Row
from elsehu.kernel import Kernel
from elsehu.media.objects import SLICE, StoredMedia, store
from elsehu.media.queries import find_rendition, stored
from elsehu.media.renditions import Purpose, keep
from elsehu.media.types import OGG, is_voice_note

log = structlog.get_logger("elsehu.media")

CONVERT_SECONDS = 60.0
LARGEST_NOTE = 16 * 1024 * 1024
HEAD_BYTES = 64
DEMUXERS: Mapping[str, str] = {
    "audio/aac": "aac",
    "audio/amr": "amr",
    "audio/mp4": "mov",
    "audio/mpeg": "mp3",
    OGG: "ogg",
    "audio/wav": "wav",
    "audio/webm": "matroska",
    "video/mp4": "mov",
    "video/webm": "matroska",
}
"""What ffmpeg is to read a file as. It is never left to guess, for among its formats are lists of further files."""

STREAM = ("-map", "0:a:0", "-map_metadata", "-1", "-threads", "1")
OPUS = ("-ac", "1", "-ar", "48000", "-c:a", "libopus", "-b:a", "32k", "-fs", str(LARGEST_NOTE), "-f", "ogg")


async def voice_note(kernel: Kernel, row: Row, types: frozenset[str], field: str) -> Row:
    """Return the form of the recording `row` (of `media_files`) that is one of `types`: itself, or its conversion.

    It is converted once, and kept. Raises Invalid `voice_format_unsupported` or `voice_conversion_failed`.
    """
    if not types or await _is_fit(kernel, row, types):
        return row
    if (made := await find_rendition(kernel.db, row["id"], Purpose.VOICE)) is not None:
        return made
    demuxer = DEMUXERS.get(row["mime_type"])
    program = shutil.which(kernel.settings.media.ffmpeg)
    if OGG not in types or demuxer is None or program is None:
        raise _unsupported(kernel, row, types, lacks_program=program is None, field=field)
    return await keep(kernel, row["id"], Purpose.VOICE, await _converted(kernel, row, program, demuxer, field))


async def _is_fit(kernel: Kernel, row: Row, types: frozenset[str]) -> bool:
    if row["mime_type"] not in types:
        return False
    return row["mime_type"] != OGG or is_voice_note(await _head(kernel, row))


async def _head(kernel: Kernel, row: Row) -> bytes:
    head = b""
    async with aclosing(stored(kernel, row)) as chunks:
        async for chunk in chunks:
            head += chunk
            if len(head) >= HEAD_BYTES:
                break
    return head


async def _converted(kernel: Kernel, row: Row, program: str, demuxer: str, field: str) -> StoredMedia:
    with TemporaryDirectory(prefix="elsehu-voice-") as folder:
        source, target = Path(folder) / "recording", Path(folder) / "note.ogg"
        await _save(kernel, row, source)
        read = ("-protocol_whitelist", "file", "-f", demuxer, "-i", source.name)
        await _run(program, "-nostdin", "-v", "fatal", *read, *STREAM, *OPUS, target.name, folder=folder)
        if not await asyncio.to_thread(_is_note, target):
            raise _failed(field)
        try:
            return await store(kernel, _chunks(target), OGG, None, LARGEST_NOTE)
        except TooLarge:
            raise _failed(field) from None


async def _save(kernel: Kernel, row: Row, target: Path) -> None:
    with target.open("wb") as file:
        async for chunk in stored(kernel, row):
            await asyncio.to_thread(file.write, chunk)


async def _run(*command: str, folder: str) -> None:
    """Run a program in `folder`, with nothing of our environment but where programs are, and an end to its time."""
    with (Path(folder) / "errors").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(CONVERT_SECONDS):
                code: int | str = await process.wait()
        except TimeoutError:
            code = "none in time"
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
    if code != 0:
        said = await asyncio.to_thread(_read, Path(folder) / "errors", 500)
        log.warning("converter_failed", program=command[0], code=code, said=said.decode(errors="replace"))


def _is_note(path: Path) -> bool:
    return path.exists() and is_voice_note(_read(path, HEAD_BYTES))


def _read(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, SLICE):
            yield chunk


def _unsupported(kernel: Kernel, row: Row, types: frozenset[str], *, lacks_program: bool, field: str) -> Invalid:
    program = (
        f" ({kernel.settings.media.ffmpeg} is not installed here, which would convert it)" if lacks_program else ""
    )
    detail = (
        f"A voice note must be {', '.join(sorted(types))} (OGG with OPUS, one channel); this file is "
        f"{row['mime_type']}{program}. Upload it as OGG/OPUS, or upload it without `voice` to send it as a sound file."
    )
    return Invalid("voice_format_unsupported", detail, errors=[FieldError(field, "is no OGG/OPUS voice note")])


def _failed(field: str) -> Invalid:
    detail = "The recording could not be converted into a voice note. Upload it as OGG/OPUS, or without `voice`."
    return Invalid("voice_conversion_failed", detail, errors=[FieldError(field, "cannot be converted")])
