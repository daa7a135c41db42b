"""Processes of a measurement: started, waited for, looked at, ended."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from elsehu.testing.serving import listen_on_loopback

ROOT = Path(__file__).parent.parent
CODE = os.pathsep.join(map(str, [ROOT, *sorted(ROOT.glob("plugins/*"))]))
MIB = 1024 * 1024
START_SECONDS = 120
STOP_SECONDS = 30
LOG_LINES = 30
FOREIGN = ("ELSEHU_", "DATABASE_URL", "REDIS_URL")

Process = subprocess.Popen[bytes]


@asynccontextmanager
async def running(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], *, log: str
) -> AsyncIterator[Process]:
    """Run `python <arguments>` in `folder`; what it says goes to the file `log` there."""
    with (folder / log).open("ab") as sink:
        command = [sys.executable, *arguments]
        process = subprocess.Popen(  # noqa: ASYNC220  nothing that is measured runs in this loop meanwhile
            command, cwd=folder, env=clean_environment(environment), stdout=sink, stderr=sink
        )
    try:
        yield process
    except Exception:
        print(f"The end of {log}:", *(folder / log).read_text().splitlines()[-LOG_LINES:], sep="\n", file=sys.stderr)
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def clean_environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return our environment without settings of another installation, and with `own`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**kept, "PYTHONPATH": CODE, **own}


def free_port() -> int:
    """Return a port on which nobody listens."""
    with listen_on_loopback() as probe:
        port: int = probe.getsockname()[1]
    return port


async def answers(process: Process, port: int, path: str = "/health") -> None:
    """Return at the first 200 of `path`. Raises RuntimeError if the process ends before."""
    async with asyncio.timeout(START_SECONDS):
        while not await _is_ok(port, path):
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} ended with {process.returncode}; its log says why")
            await asyncio.sleep(0.005)


async def _is_ok(port: int, path: str) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode())
    try:
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()


def resident_mib(pid: int) -> float:
    """Return the memory that a process holds, shared libraries included (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB
