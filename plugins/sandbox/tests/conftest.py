"""A sandbox instance whose webhooks go over real HTTP to a receiver that reads them as Elsehu would."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from elsehu_sandbox.phone import Phone, phone_of
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from elsehu.plugin import (
    Event,
    Identity,
    IdentityKind,
    Instance,
    InstanceStatus,
    Item,
    Kind,
    OutboundMessage,
    PluginContext,
    WebhookRejected,
    WebhookRequest,
)
from elsehu.testing import HttpClientSettings, Plugins, Settings, load_plugins, open_http_client
from elsehu.testing.serving import RunningServer, running_server

SECRET = "the secret of this instance"
INSTANT = {"delivered_seconds": 0, "read_seconds": 0, "reply_seconds": None}


def make_instance(url: str = "http://127.0.0.1:9/", **settings: Any) -> Instance:
    """Return a sandbox instance that is reached at `url`."""
    return Instance(
        id=uuid4(),
        name="Shop",
        phone="+5511955550000",
        provider="sandbox",
        credentials={},
        settings={"delays": INSTANT, **settings},
        state={},
        status=InstanceStatus.CONNECTED,
        webhook_url=url,
        webhook_secret=SECRET,
    )


def load_sandbox(data_dir: Path) -> Plugins:
    """Load the sandbox as an installation does, with its files in `data_dir`."""
    return load_plugins(Settings(data_dir=data_dir, plugins={"enabled": ["sandbox", "storage_local"]}))


@dataclass
class Receiver:
    """Answers webhooks as the kernel does. `answers` are statuses to give first, before it answers 200."""

    plugins: Plugins
    instances: dict[UUID, Instance] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    async def receive(self, request: Request) -> Response:
        """Authenticate, normalise and keep one webhook."""
        status = self.answers.pop(0) if self.answers else 200
        return Response(
            status_code=status if status != 200 else self._take(dict(request.headers), await request.body())
        )

    def _take(self, headers: Mapping[str, str], body: bytes) -> int:
        plugin = self.plugins.provider("sandbox")
        assert plugin
        try:
            webhook = WebhookRequest("POST", headers, {}, body)
            accepted = self.plugins.receive(plugin, webhook, list(self.instances.values()))
        except WebhookRejected:
            return 401
        normalized = self.plugins.normalize(plugin, accepted)  # type: ignore[arg-type]
        assert not normalized.broken
        self.bodies.append(orjson.loads(body))
        self.items.extend(normalized.items)
        return 200

    def events(self, kind: type[Event] | None = None) -> list[Any]:
        """Return the events of one type that arrived, in their order."""
        return [item.event for item in self.items if kind is None or isinstance(item.event, kind)]


@dataclass
class World:
    """The loaded plugin, the receiver of its webhooks, and a way to make instances."""

    plugins: Plugins
    receiver: Receiver
    url: str

    @property
    def context(self) -> PluginContext:
        return self.plugins.context("sandbox")

    def instance(self, **settings: Any) -> Instance:
        """Return a new instance whose webhooks the receiver takes."""
        made = make_instance(self.url, **settings)
        self.receiver.instances[made.id] = made
        return made

    def phone(self, instance: Instance) -> Phone:
        return phone_of(self.context, instance)

    def arrived(self, instance: Instance) -> list[Mapping[str, Any]]:
        """Return the messages of the company that truly reached the phone."""
        return [line for _, line in self.phone(instance).read() if line.get("direction") == "outbound"]

    def order_faults(self, instance: Instance, *faults: dict[str, Any]) -> None:
        """Order faults, as the REST route does."""
        from elsehu_sandbox.schemas import FaultsBody

        with self.phone(instance).changing() as state:
            state.faults = FaultsBody.model_validate({"sequence": list(faults)}).sequence

    async def history(self, instance: Instance) -> list[Item]:
        """Return all that the phone remembers."""
        now = datetime.now(UTC)
        pages = self.plugins.history(instance, now - timedelta(days=1), now + timedelta(days=1))
        return [item async for page in pages for item in page]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    plugins = load_sandbox(tmp_path)
    receiver = Receiver(plugins)
    app = Starlette(routes=[Route("/hook", receiver.receive, methods=["POST"])])
    async with running_server(app) as server, open_http_client(HttpClientSettings()) as http:
        plugins.bind(http)
        yield World(plugins, receiver, hook_url(server))
        await asyncio.gather(*killed(), return_exceptions=True)


def hook_url(server: RunningServer) -> str:
    return server.url + "/hook"


def killed() -> list["asyncio.Task[Any]"]:
    """Cancel the webhooks still to come, as the end of a process does; return their tasks."""
    left = [task for task in asyncio.all_tasks() if task.get_name() == "sandbox webhooks"]
    for task in left:
        task.cancel()
    return left


MARIA = Identity(IdentityKind.PHONE, "5511988887777", "5511988887777")


def outbound(text: str | None = "Good morning", *, to: Identity = MARIA, **fields: Any) -> OutboundMessage:
    """Return a message to send."""
    message_id = uuid4()
    values = {"id": message_id, "client_ref": str(message_id), "to": [to], "kind": Kind.TEXT, "text": text}
    return OutboundMessage(**{**values, **fields})


async def eventually(condition: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Wait until `condition` holds and return its value."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (value := condition()):
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError("it did not happen in time")
        await asyncio.sleep(0.005)
    return value
