"""Logs: one line an event, for people or machines, with the secrets masked wherever they turn up."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any

import orjson
import structlog
from structlog.typing import Processor

from elsehu.http.traces import trace_of_raised
from elsehu.settings import LoggingSettings

MASK = "***"
SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)|secret|token|api_?-?key|authorization|credential|cookie|private_?key|signature|pairing|qr_?code",
    re.IGNORECASE,
)
SECRET_TEXT = re.compile(
    r"\belk_[A-Za-z0-9_-]{4,}"
    r"|\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*"
    r"|(?<=[Bb]earer )[^\s'\",]+"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"
    r"|(?<=[?&])(?P<name>[A-Za-z_-]*(?:[Tt]oken|[Kk]ey|[Ss]ecret|[Pp]assword)=)[^&\s'\"]+"
)
HINTS = ("elk_", "eyJ", "earer ", "://", "=")
"""What every SECRET_TEXT has one of: looking for these first makes an ordinary line cheap."""

LOUD_LIBRARIES = ("httpx", "httpcore", "aiohttp", "asyncio", "rq", "multipart", "python_multipart")


def configure_logs(settings: LoggingSettings) -> None:
    """Send what Elsehu and its libraries log to standard error, from `settings.level` on, and of some from another."""
    level = getattr(logging, settings.level.upper())
    levels = {name: getattr(logging, own.upper()) for name, own in (one.split("=") for one in settings.levels)}
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    traces = structlog.processors.ExceptionRenderer(trace_of_raised)
    last: list[Processor] = [traces, redact, _renderer(settings.format)]
    structlog.configure(
        processors=[*([_chosen(level, levels)] if levels else []), *shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(min(level, *levels.values(), level)),
        logger_factory=NamedLogger,
        cache_logger_on_first_use=True,
    )
    _take_over_logging(level, levels, shared, last)


class NamedLogger(structlog.WriteLogger):
    """Writes to standard error, and knows the name that it was asked for by."""

    def __init__(self, name: str = "") -> None:
        super().__init__(sys.stderr)
        self.name = name


def _chosen(level: int, levels: Mapping[str, int]) -> Processor:
    """Return what drops lines below the level of their logger: its own, else of the nearest above it, else `level`."""

    @lru_cache
    def level_of(name: str) -> int:
        if name in levels:
            return levels[name]
        above, dot, _ = name.rpartition(".")
        return level_of(above) if dot else level

    def choose(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if getattr(logging, method.upper(), logging.ERROR) < level_of(getattr(logger, "name", "")):
            raise structlog.DropEvent
        return event

    return choose


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask what is secret by its key, and what looks like a secret in any text (a structlog processor)."""
    for name, value in event.items():
        event[name] = _masked(name, value)
    return event


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, int | float | None):
        return value
    if value and _is_secret(name):
        return MASK
    return _mask_text(value) if isinstance(value, str) else _mask_inside(value)


def _mask_inside(value: Any) -> Any:
    match value:
        case Mapping():
            return {key: _masked(str(key), one) for key, one in value.items()}
        case list() | tuple():
            return [_masked("", one) for one in value]
        case bytes():
            return f"{len(value)} bytes"
    return value


def _mask_text(text: str) -> str:
    is_suspect = any(hint in text for hint in HINTS)
    return SECRET_TEXT.sub(lambda found: (found["name"] or "") + MASK, text) if is_suspect else text


@lru_cache(1024)
def _is_secret(name: str) -> bool:
    return SECRET_KEY.search(name) is not None


def _renderer(form: str) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(serializer=_json)
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), timestamp_key="at", exception_formatter=structlog.dev.plain_traceback
    )


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def _take_over_logging(level: int, levels: Mapping[str, int], shared: list[Processor], last: list[Processor]) -> None:
    """Have the standard library's loggers, which uvicorn and other libraries use, write the same lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in LOUD_LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = name != "uvicorn.access"
    for name, own in levels.items():
        logging.getLogger(name).setLevel(own)
