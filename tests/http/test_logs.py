"""What a log line shows, and what it never shows. In a process of its own, as logs are configured once."""

import subprocess
import sys
from typing import Any

import orjson
import pytest

SCRIPT = """
import logging, sys
import structlog
from elsehu.http.logs import configure_logs
from elsehu.settings import LoggingSettings

configure_logs(LoggingSettings(format=sys.argv[1], level=sys.argv[2]))
log = structlog.get_logger("elsehu.test")
"""


def lines(code: str, form: str = "json", level: str = "info") -> list[str]:
    command = [sys.executable, "-c", SCRIPT + code, form, level]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def events(code: str, level: str = "info") -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in lines(code, "json", level)]


def test_a_line_is_an_object_with_event_level_time_and_values() -> None:
    (line,) = events("log.info('instance_connected', instance='1', seconds=2)")
    assert line.pop("at").endswith("Z")
    assert line == {"event": "instance_connected", "level": "info", "instance": "1", "seconds": 2}


def test_the_request_that_it_belongs_to_is_on_it() -> None:
    code = "structlog.contextvars.bind_contextvars(request_id='r1'); log.info('a'); logging.warning('b')"
    assert [line["request_id"] for line in events(code)] == ["r1", "r1"]


@pytest.mark.parametrize(("level", "shown"), [("debug", 3), ("info", 2), ("error", 1)])
def test_only_from_the_level_on(level: str, shown: int) -> None:
    code = "log.debug('a'); log.info('b'); log.error('c')"
    assert len(events(code, level)) == shown


def test_a_logger_can_have_a_level_of_its_own_and_those_below_it_too() -> None:
    own = SCRIPT.replace("level=sys.argv[2])", "level=sys.argv[2], levels=['elsehu.loud=debug', 'elsehu.quiet=error'])")
    code = """
for name in ('elsehu.loud', 'elsehu.loud.below', 'elsehu.quiet', 'elsehu.other'):
    for log in (structlog.get_logger(name), logging.getLogger(name)):
        log.debug(f'{name} debug'); log.info(f'{name} info'); log.error(f'{name} error')
"""
    done = subprocess.run(
        [sys.executable, "-c", own + code, "json", "info"], check=True, capture_output=True, text=True
    )
    told = [orjson.loads(line)["event"].removeprefix("elsehu.") for line in done.stderr.splitlines()]
    loud = [f"{name} {level}" for name in ("loud", "loud.below") for _ in range(2) for level in LEVELS]
    assert told == [*loud, "quiet error", "quiet error", *["other info", "other error"] * 2]


LEVELS = ("debug", "info", "error")


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "apiKey",
        "api_key",
        "apikey",
        "accessToken",
        "authorization",
        "client_secret",
        "credentials",
        "cookie",
    ],
)
def test_values_of_secret_keys_are_masked_at_any_depth(name: str) -> None:
    hidden = {name: "s3cret"}
    code = (
        f"hidden = {hidden!r}; log.info('x', **hidden); log.info('x', body=[{{'inner': hidden}}], **{{{name!r}: [1]}})"
    )
    assert "s3cret" not in "".join(lines(code))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key elk_s3cretS3cret used", "key *** used"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzM2NyZXQifQ.s3cret", "***"),
        ("Authorization: Bearer s3cret", "Authorization: Bearer ***"),
        ("postgresql://elsehu:s3cret@db/elsehu", "postgresql://***@db/elsehu"),
        ("GET /ws?token=s3cret&x=1", "GET /ws?token=***&x=1"),
        ("/x?a=1&apikey=s3cret", "/x?a=1&apikey=***"),
        ("an ordinary sentence, 2 = 2, https://example.com/a?b=c", None),
    ],
)
def test_what_looks_like_a_secret_is_masked_in_any_text(text: str, shown: str | None) -> None:
    code = f"t = {text!r}; log.info(t); log.info('x', detail=t); log.info('x', many=[t]); logging.error('%s', t)"
    first, second, third, fourth = events(code)
    expected = shown or text
    assert [first["event"], second["detail"], third["many"][0], fourth["event"]] == [expected] * 4


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("logger", ["log", "logging.getLogger('uvicorn.error')"])
def test_tracebacks_are_shown_without_secrets(form: str, logger: str) -> None:
    code = f"""
try:
    raise ValueError("elk_s3cretS3cret")
except ValueError:
    {logger}.exception("broke")
"""
    shown = "\n".join(lines(code, form))
    assert "ValueError: (its words are withheld" in shown
    assert "s3cret" not in shown
    assert "broke" in shown
    assert "in <module>" in shown


def test_libraries_write_the_same_lines_and_uvicorn_no_access_log() -> None:
    code = """
logging.getLogger('uvicorn.access').info('GET /ws?token=s3cret')
logging.getLogger('httpx').info('chatter')
logging.getLogger('uvicorn.error').info('Started')
"""
    (line,) = events(code)
    assert (line["event"], line["logger"], line["level"]) == ("Started", "uvicorn.error", "info")


def test_bytes_are_counted_not_shown() -> None:
    assert events("log.info('x', body=b's3cret')")[0]["body"] == "6 bytes"
