"""The phone at the other end: two files in the plugin's own folder, one pair for each instance.

`<instance>.jsonl` remembers what happened, and what will happen and when, one event a line in the format of
our webhooks. A line is written before the sender is answered, so it outlives a killed process.
`<instance>.state.json` says how the number stands. Several processes may work with the same phone.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import orjson
from pydantic import BaseModel

from elsehu.plugin import Instance, PluginContext, ProviderTemplate
from elsehu_sandbox.faults import Fault

Line = Mapping[str, Any]


class PhoneState(BaseModel):
    """How the number stands. `offline` with `offline_until` ends by itself; without, it takes a connect."""

    paired: bool = False
    offline: bool = False
    offline_until: datetime | None = None
    script_played: bool = False
    faults: list[Fault] = []
    templates: list[ProviderTemplate] = []

    def is_online(self, now: datetime) -> bool:
        """Whether the phone has a connection."""
        return not self.offline or (self.offline_until is not None and now >= self.offline_until)


def _ends_line(journal: BinaryIO, place: int) -> bool:
    """Read up to `place`, and say whether a line ends there."""
    journal.seek(place - 1)
    return journal.read(1) == b"\n"


@dataclass(frozen=True, slots=True)
class Phone:
    """The phone of one instance, in `folder`."""

    folder: Path
    instance_id: UUID

    @property
    def _journal(self) -> Path:
        return self.folder / f"{self.instance_id}.jsonl"

    @property
    def _state(self) -> Path:
        return self.folder / f"{self.instance_id}.state.json"

    def write(self, lines: Sequence[Line]) -> None:
        """Remember `lines`, all of them or none: one append, which other processes' cannot get into."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._journal.open("ab", buffering=0) as journal:
            journal.write(b"".join(orjson.dumps(line) + b"\n" for line in lines))

    def read(self, start: int = 0) -> Iterator[tuple[int, Line]]:
        """Yield every line from byte `start` on, each with the byte where the next one starts.

        Raises ValueError where `start` is not the start of a line.
        """
        if not self._journal.exists():
            return
        with self._journal.open("rb") as journal:
            if start and not (start <= os.fstat(journal.fileno()).st_size and _ends_line(journal, start)):
                raise ValueError(f"no line starts at byte {start}")
            for line in journal:
                start += len(line)
                yield start, orjson.loads(line)

    def between(self, since: datetime, until: datetime) -> list[Line]:
        """Return what happened from `since` to `until`, both included, oldest first."""
        lines = [(time_of(line), line) for _, line in self.read()]
        return [line for at, line in sorted(lines, key=lambda pair: pair[0]) if since <= at <= until]

    def state(self) -> PhoneState:
        """Return how the number stands now."""
        try:
            return PhoneState.model_validate_json(self._state.read_bytes())
        except FileNotFoundError:
            return PhoneState()

    @contextmanager
    def changing(self) -> Iterator[PhoneState]:
        """Give the state to change; nobody else changes it meanwhile, and readers see the old one or the new."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._state.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self.state()
            yield state
            draft = self._state.with_suffix(".draft")
            draft.write_text(state.model_dump_json())
            draft.replace(self._state)

    def forget(self) -> None:
        """Throw the phone away."""
        for path in (self._journal, self._state, self._state.with_suffix(".lock")):
            path.unlink(missing_ok=True)


def phone_of(context: PluginContext, instance: Instance) -> Phone:
    """Return the phone of `instance`."""
    return Phone(context.data_dir, instance.id)


def time_of(line: Line) -> datetime:
    """Return when a line happens."""
    return datetime.fromisoformat(line["at"])


def type_of(line: Line) -> str:
    """Return what kind of event a line is, or "" for one that somebody made up without."""
    kind = line.get("type")
    return kind if isinstance(kind, str) else ""
