"""The conformance suite finds what is wrong: the guide's pigeon passes, and what is spoilt in it is named."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module, invalidate_caches
from pathlib import Path

import pytest

from elsehu.embedded import EmbeddedServices
from elsehu.testing.provider_suite import Outcome, Result, run_checks

from .. import guide

CODE = "elsehu_pigeon/__init__.py"
Run = Callable[..., "object"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder to install packages in, for this test alone."""
    folder = tmp_path / "site"
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == "elsehu_pigeon"]:
        del sys.modules[name]


def spoil(site: Path, *changes: tuple[str, str]) -> None:
    """Install the guide's pigeon with some of its code replaced."""
    sources = guide.files()
    for old, new in changes:
        assert old in sources[CODE], old
        sources[CODE] = sources[CODE].replace(old, new)
    guide.install(site, sources)
    invalidate_caches()


async def check(tmp_path: Path, services: EmbeddedServices | None, only: str = "") -> dict[str, str]:
    """Run the checks, and return what was seen by those that failed."""
    declared = import_module("elsehu_pigeon.testing").Conformance() if services else None
    results: list[Result] = await run_checks("pigeon", declared, services, tmp_path / "run", only=only)
    return {one.check.name: one.detail for one in results if one.outcome is Outcome.FAILED}


async def test_a_careless_provider(site: Path, tmp_path: Path, services: EmbeddedServices) -> None:
    spoil(
        site,
        ("hmac.compare_digest(shown, one.webhook_secret.encode())", "one.webhook_secret.encode().startswith(shown)"),
        ("Status.DELIVERED", "Status.READ"),
        ('return Normalized(items, broken, raw=payload, event_name="letters")', "return Normalized(items, broken)"),
        ("        return None\n    told", "        raise ValueError('a strange letter')\n    told"),
        ('raise ValueError(f"{told.sender', 'raise KeyError(f"{told.sender'),
        ('raise Retryable("loft_busy", "No pigeon is free. It is tried again.", code, retry_after=5.0)', "pass"),
        ("raise OutcomeUnknown(\"loft_silent\"", "raise Retryable(\"loft_silent\""),
        ("raise Retryable(\"loft_unreachable\"", "raise OutcomeUnknown(\"loft_unreachable\""),
        ('"text": message.text', '"text": message.text[:500]'),
        ("    return Sent(answer[", "    print('coo')\n    return Sent(answer["),
        ("    headers = {", "    context.log('asking', how=repr(instance.credentials))\n    headers = {"),
        ('    await ask(context, instance, "PUT", "/hook", {"url": None})', "    raise ValueError"),
    )  # fmt: skip
    found = await check(tmp_path, services)
    seen = {
        "forged webhooks are refused": "without any proof: answered 200 instead of 401",
        "payloads give their events": "a landing: expected [StatusChanged(external_id='pigeon-1', status=",
        "normalize is pure and replays": "replayed from the stored `raw`",
        "unknown things are kept": "a feather: what is unknown is not broken",
        "garbage never raises": "raised KeyError",
        "failures are mapped": "Failure(Retryable, Answer(503, b'')): provider_send raised OutcomeUnknown",
        "lost answers are unknown": "raise OutcomeUnknown, not Retryable('loft_silent'",
        "lost answers are not repeated": "it must never be sent again",
        "refused connections are retryable": "request 1 was refused (NotSent): raised was OutcomeUnknown",
        "limits hold": "did not arrive whole",
        "secrets stay secret": "a log line",
        "disconnects, and pairs again": "provider_disconnect(forget=False) raised ValueError",
        "nothing is printed": "it printed 'coo'",
    }
    assert set(found) == set(seen)
    assert {name: found[name] for name, words in seen.items() if words not in found[name]} == {}


async def test_ids_of_its_own(site: Path, tmp_path: Path, services: EmbeddedServices) -> None:
    spoil(site, ("return MessageArrived(told.id,", "import uuid\n    return MessageArrived(uuid.uuid4().hex,"))
    found = await check(tmp_path, services, "order")
    assert list(found) == ["order and duplicates do no harm"]


async def test_what_needs_no_declaration(site: Path, tmp_path: Path) -> None:
    spoil(
        site,
        ("class Credentials(PluginModel)", "class Credentials(BaseModel)"),
        ("frozenset({Kind.TEXT})", "frozenset({Kind.SYSTEM})"),
        ("def provider_normalize(accepted):", "async def provider_normalize(accepted):"),
    )
    found = await check(tmp_path, None)
    assert "provider_normalize must not be a coroutine: make it `def`" in found["hooks are async as specified"]
    assert "`kinds` holds system, which nobody sends" in found["spec makes sense"]
    assert "credentials (Credentials)" in found["schemas refuse unknown keys"]
    assert "coroutine, not Normalized" in found["normalize survives any payload"]


async def test_a_plugin_that_does_not_load(site: Path, tmp_path: Path) -> None:
    spoil(site, ("def provider_status(context, instance)", "def provider_status(number)"))
    assert list(await check(tmp_path, None)) == ["loads"]
