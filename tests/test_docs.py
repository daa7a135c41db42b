"""What the documentation shows works: the provider in docs/plugins.md takes letters and sends them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from elsehu.contracts.errors import OutcomeUnknown, Rejected, Retryable, WebhookRejected
from elsehu.contracts.http import Answer, AnswerLost, NotSent
from elsehu.contracts.instance import Instance, InstanceStatus
from elsehu.contracts.message import Identity, IdentityKind, Kind
from elsehu.contracts.outbound import OutboundMessage
from elsehu.contracts.webhook import Accepted, WebhookRequest
from elsehu.ids import new_id
from elsehu.plugins import Plugin, Plugins, installed, load_plugins
from elsehu.settings import Settings

GUIDE = Path(__file__).parent.parent / "docs" / "plugins.md"
INSTANCE = Instance(
    new_id(), "loft", "", "pigeon", {"loft_url": "http://loft", "token": "t"}, {}, {}, InstanceStatus.CONNECTED,
    "http://here/hook", "s3cret",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    module: ModuleType
    value: str = "elsehu_pigeon"
    dist: None = None

    def load(self) -> ModuleType:
        return self.module


class Http:
    """Answers every request alike."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.answer = answer
        self.sent: list[Any] = []

    async def request(self, method: str, url: str, **options: Any) -> Answer:
        self.sent.append((method, url, options["json"], options["headers"]))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def stream(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


@pytest.fixture
def plugins() -> Plugins:
    code = next(block for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.S))
    module = ModuleType("elsehu_pigeon")
    exec(compile(code, str(GUIDE), "exec"), module.__dict__)
    settings = Settings(plugins={"enabled": ["pigeon", "storage_local"]})
    found: dict[str, Sequence[Any]] = {**installed(), "pigeon": [Entry(module)]}
    return load_plugins(settings, found)


def pigeon(plugins: Plugins) -> Plugin:
    plugin = plugins.provider("pigeon")
    assert plugin is not None
    return plugin


def request(secret: str, body: Any) -> WebhookRequest:
    return WebhookRequest("POST", {"x-pigeon-secret": secret}, {}, json.dumps(body).encode())


def test_the_example_takes_letters_and_refuses_strangers(plugins: Plugins) -> None:
    letter = {"id": "1", "from": "5585988887777", "at": "2026-11-23T12:00:00+00:00", "text": "coo"}
    accepted = plugins.receive(
        pigeon(plugins), request("s3cret", {"letters": [letter, {"id": 2}]}), [INSTANCE], [INSTANCE]
    )
    assert isinstance(accepted, Accepted)
    normalized = plugins.normalize(pigeon(plugins), accepted)
    assert [item.event.text for item in normalized.items] == ["coo"]  # type: ignore[union-attr]
    assert len(normalized.broken) == 1
    with pytest.raises(WebhookRejected):
        plugins.receive(pigeon(plugins), request("wrong", {}), [INSTANCE])
    assert plugins.normalize(pigeon(plugins), Accepted(b"\xff", [INSTANCE])).broken


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (NotSent("refused"), Retryable),
        (AnswerLost("timeout"), OutcomeUnknown),
        (Answer(503, {}, b""), Retryable),
        (Answer(400, {}, b""), Rejected),
    ],
)
async def test_the_example_says_what_is_known_of_a_failed_send(
    plugins: Plugins, answer: Answer | Exception, error: type[Exception]
) -> None:
    plugins.bind(Http(answer))
    with pytest.raises(error):
        await plugins.send(INSTANCE, message())


async def test_the_example_sends(plugins: Plugins) -> None:
    http = Http(Answer(200, {}, b'{"id": "p1"}'))
    plugins.bind(http)
    assert (await plugins.send(INSTANCE, message())).external_id == "p1"
    assert http.sent[0][:2] == ("POST", "http://loft/send")


def message() -> OutboundMessage:
    to = [Identity(IdentityKind.PHONE, "5585988887777", "5585988887777")]
    return OutboundMessage(new_id(), "ref", to, Kind.TEXT, "hello")
