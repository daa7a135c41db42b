"""What a backup says of itself, in its first member: never a secret."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import PurePosixPath

import orjson

from elsehu.contracts.errors import ElsehuError

MANIFEST = "manifest.json"
DATABASE = "database.dump"
MEDIA = PurePosixPath("media")
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """Of which release and moment it is, and which secret keys (by fingerprint) its credentials were saved with."""

    created_at: datetime
    elsehu: str
    postgresql: str
    keys: tuple[str, ...]
    plugins: tuple[str, ...]
    files: int
    size: int
    format: int = FORMAT

    def encode(self) -> bytes:
        """Return it as JSON."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2)


def decode(raw: bytes) -> Manifest:
    """Return the manifest in `raw`. Raises ElsehuError `no_backup`."""
    try:
        values = orjson.loads(raw)
        values |= {name: tuple(values[name]) for name in ("keys", "plugins")}
        manifest = Manifest(**{**values, "created_at": datetime.fromisoformat(values["created_at"])})
    except (ValueError, TypeError, KeyError):
        raise no_backup("its manifest cannot be read") from None
    if manifest.format != FORMAT:
        raise no_backup(f"it has the format {manifest.format}, and this release reads {FORMAT}")
    return manifest


def no_backup(why: str) -> ElsehuError:
    """Return the refusal of a file."""
    return ElsehuError("no_backup", f"This is no backup that can be restored: {why}.")
