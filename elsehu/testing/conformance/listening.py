"""What the plugin says while it is tried: log lines, and what it prints."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import TextIOBase
from typing import Any

import structlog

from elsehu.http.logs import redact


class _Lines(logging.Handler):
    """Keeps what the standard library's loggers are given."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


class _Printed(TextIOBase):
    """Standard output: what a package prints is kept, what others print passes."""

    def __init__(self, package: str, printed: list[str]) -> None:
        self._package = package
        self._printed = printed
        self._real = sys.stdout

    def write(self, text: str) -> int:
        if text.strip() and self._is_theirs():
            self._printed.append(text.strip())
            return len(text)
        return self._real.write(text)

    def flush(self) -> None:
        self._real.flush()

    def isatty(self) -> bool:
        return self._real.isatty()

    def fileno(self) -> int:
        return self._real.fileno()

    def _is_theirs(self) -> bool:
        """Whether one of the package's modules prints (its test kit may, and is not part of an installation)."""
        frame = sys._getframe(1)
        while frame := frame.f_back:  # type: ignore[assignment]
            head, *rest = str(frame.f_globals.get("__name__", "")).split(".")
            if head == self._package and not {"testing", "tests", "conformance"} & set(rest):
                return True
        return False


@contextmanager
def heard(package: str, lines: list[str], printed: list[str]) -> Iterator[None]:
    """Keep what is logged (as it would be written, after redaction) and what `package` prints while the block runs."""
    before = structlog.get_config()
    root, handler = logging.getLogger(), _Lines(lines)
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.format_exc_info, redact, _keep(lines)],
        cache_logger_on_first_use=False,
    )
    root.addHandler(handler)
    try:
        with redirect_stdout(_Printed(package, printed)):
            yield
    finally:
        root.removeHandler(handler)
        structlog.configure(**before)


def _keep(lines: list[str]) -> Any:
    def keep(_logger: Any, _method: str, event: Any) -> Any:
        lines.append(str(event))
        raise structlog.DropEvent

    return keep
