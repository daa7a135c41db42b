"""The machine: is there room to write, and is the clock right?"""

import os
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from elsehu.doctor.findings import Finding, broken, ok, warning
from elsehu.settings import MIB

LITTLE = 1024 * MIB
TOO_LITTLE = 100 * MIB
PROBE = bytes(MIB)
SKEW_WORTH_A_LOOK = 2.0
SKEW_TOO_LARGE = 30.0


def check_disk(folder: Path) -> Finding:
    """Write a megabyte into the data directory and look how much room is left."""
    subject = "disk"
    folder = folder.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(folder)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        detail = f"the data directory {folder} cannot be written to: {error.strerror or error}"
        return broken(subject, detail, "Make room, or let Elsehu's user write there, or set ELSEHU_DATA_DIR elsewhere.")
    detail = f"{free / MIB / 1024:.1f} GiB free in {folder}"
    more = "Make room: delete old files, set [media] retention_days, or move the data directory to a larger disk."
    if free < TOO_LITTLE:
        return broken(subject, detail, more)
    return warning(subject, detail, more) if free < LITTLE else ok(subject, detail)


def _write(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder, prefix=".doctor-") as file:
        file.write(PROBE)
        file.flush()
        os.fsync(file.fileno())


def check_clock(whose: str, theirs: datetime, ours: datetime) -> Finding:
    """Compare our clock with another machine's (both aware)."""
    subject, skew = f"clock ({whose})", (ours - theirs).total_seconds()
    detail = f"ours is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} that of {whose}"
    fix = "Switch on time synchronisation (chrony or systemd-timesyncd) on both machines."
    if abs(skew) > SKEW_TOO_LARGE:
        return broken(subject, detail, f"{fix} Tokens, service windows and the order of messages depend on it.")
    return warning(subject, detail, fix) if abs(skew) > SKEW_WORTH_A_LOOK else ok(subject, detail)
