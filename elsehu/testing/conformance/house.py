"""A whole Elsehu with the plugin under test, one number on its stand-in, and a client of its API."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx

from elsehu.contracts.inbound import Normalized
from elsehu.contracts.instance import Instance
from elsehu.contracts.webhook import Accepted, Challenge, WebhookRequest
from elsehu.ids import new_token
from elsehu.instances.configuration import secrets_of
from elsehu.instances.directory import Directory
from elsehu.plugins import Plugin, Plugins
from elsehu.testing.client import ApiClient
from elsehu.testing.conformance.declaration import ProviderConformance, Webhook, Written, encoded
from elsehu.testing.conformance.outcome import Failed
from elsehu.testing.conformance.seeing import around, until
from elsehu.testing.conformance.wire import Wire
from elsehu.testing.serving import RunningServer

LEAST_SECRET = 6
STORED = "SELECT (SELECT count(*) FROM webhook_events) + (SELECT count(*) FROM dead_letters) + (SELECT count(*) FROM "
STORED += "messages) + (SELECT count(*) FROM contacts)"
KEPT_TEXTS = """
SELECT 'a raw webhook (webhook_events)' AS place, body::text AS text FROM webhook_events
UNION ALL SELECT 'a dead letter', error || item::text FROM dead_letters
UNION ALL SELECT 'a message', concat_ws(' ', text, payload::text, error_code, error_detail, provider_code) FROM messages
UNION ALL SELECT 'the status of the number', concat_ws(' ', status_detail, hold_reason, health::text)
FROM service_instances
UNION ALL SELECT 'a setting of the number', settings::text FROM service_instances
"""


@dataclass
class House:
    """See the module. `outside` is a client that nobody knows; `secrets` are the number's own, `marks` all that
    nobody may see: these, and the proofs of webhooks."""

    declared: ProviderConformance
    server: RunningServer
    api: ApiClient
    standin: Any
    wire: Wire
    outside: httpx.AsyncClient
    said: list[str] = field(default_factory=list)
    instance_id: UUID = field(default_factory=lambda: UUID(int=0))
    secrets: set[str] = field(default_factory=set)
    marks: set[str] = field(default_factory=set)
    _written: int = 0

    @property
    def plugins(self) -> Plugins:
        """The loaded plugins, with HTTP."""
        return self.server.kernel.plugins

    @property
    def plugin(self) -> Plugin:
        """The plugin under test."""
        return next(one for one in self.plugins.loaded if one.info.name == self.declared.plugin)

    async def instance(self) -> Instance:
        """Return the number as it is now."""
        return await self.server.kernel.part(Directory).load(self.instance_id)

    # The number ---------------------------------------------------------------------------------------

    async def add_number(self) -> None:
        """Add the number through the API, and have it connected."""
        declared = self.declared
        provider = self.plugin.info.provider
        assert provider
        credentials = dict(declared.credentials(self.standin))
        body = {
            "name": f"Number {new_token(3)}",
            "phone": declared.phone,
            "provider": provider.name,
            "credentials": credentials,
            "settings": dict(declared.settings(self.standin)),
        }
        answer = await self.call("POST", "/api/service-instances", body)
        if answer.status_code != 201:
            raise Failed(f"POST /api/service-instances answered {answer.status_code}: {answer.text[:400]}")
        self.instance_id = UUID(answer.json()["id"])
        instance = await self.instance()
        secrets = [*secrets_of(provider.credentials, credentials), instance.webhook_secret]
        self.secrets = {one for one in secrets if len(one) >= LEAST_SECRET}
        self.marks |= self.secrets
        await declared.ready(self.standin, instance, self.plugin.context)
        await self.connected()

    async def connected(self) -> None:
        """Wait until the number is connected."""

        async def look() -> bool:
            found = (await self.call("GET", self.path)).json()
            state.append(f"{found['status']} ({found['statusDetail']})")
            return bool(found["status"] == "connected")

        state: list[str] = []
        try:
            await until(look, "becoming connected")
        except Failed:
            raise Failed(f"the number did not become connected; it is {state[-1]}") from None

    @property
    def path(self) -> str:
        """The number in the API."""
        return f"/api/service-instances/{self.instance_id}"

    # What comes in ------------------------------------------------------------------------------------

    def written(self, text: str | None = None, customer: int = 0, at: datetime | None = None) -> Written:
        """Return something for a customer to write, new each time."""
        self._written += 1
        text = text or f"conformance {self._written} {new_token(6)}"
        at = (at or self.server.kernel.now()).replace(microsecond=0)
        external_id = self.declared.id_format.format(f"conf{self._written}{uuid4().hex[:12]}")
        return Written(external_id, self.declared.customers[customer], text, at)

    async def genuine(self, body: Any) -> Webhook:
        """Return the genuine webhook with a declared body; its proofs must be seen nowhere from now on."""
        webhook = self.declared.webhook(await self.instance(), encoded(body))
        headers = [value for name, value in webhook.headers.items() if name.lower() != "content-type"]
        proofs = [*headers, *webhook.query.values(), webhook.path_secret or ""]
        self.marks |= {one for one in proofs if len(one) >= 2 * LEAST_SECRET}
        return webhook

    async def post(self, webhook: Webhook) -> httpx.Response:
        """Post a webhook at the front door."""
        provider = self.plugin.info.provider
        assert provider
        path = f"/api/webhooks/{provider.name}"
        if webhook.names_instance:
            path += f"/{self.instance_id}" + (f"/{quote(webhook.path_secret)}" if webhook.path_secret else "")
        headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in _typed(webhook).items()]
        return await self.outside.post(path, content=webhook.body, headers=headers, params=dict(webhook.query))

    async def says(self, written: Written) -> UUID:
        """Let a customer write; return the message's conversation. Raises Failed if it did not come in."""
        body = self.declared.message(await self.instance(), written)
        answer = await self.post(await self.genuine(body))
        if answer.status_code != 200:
            raise Failed(f"a customer's message was answered {answer.status_code}: {answer.text[:300]}")
        return await self.conversation_of(written.external_id)

    async def conversation_of(self, external_id: str) -> UUID:
        """Return the conversation of a message. Raises Failed where it is not there."""
        return UUID(str((await self.row_of(external_id))["conversation_id"]))

    async def row_of(self, external_id: str) -> Mapping[str, Any]:
        """Return id, conversation and text of a message by the provider's id. Raises Failed where it is not there."""
        sql = "SELECT id, conversation_id, text FROM messages WHERE instance_id = $1 AND external_id = $2"
        row = await self.server.kernel.db.fetch_row(sql, self.instance_id, external_id)
        if row is None:
            raise Failed(f"the message {external_id!r} was answered 200, but is not there")
        return dict(row)

    async def buried_nothing(self) -> None:
        """Raise Failed where something that was understood could not be kept."""
        row = await self.server.kernel.db.fetch_row("SELECT error FROM dead_letters WHERE error <> '' LIMIT 1")
        if row is not None:
            raise Failed(f"an event could not be kept, and is lost to operators: {row['error'][:300]}")

    async def stored(self) -> int:
        """Return how much is stored: raw webhooks, dead letters, messages and contacts."""
        return int(await self.server.kernel.db.fetch_value(STORED))

    # The hooks, called directly -----------------------------------------------------------------------

    async def receive(self, webhook: Webhook) -> Accepted | Challenge:
        """Have the plugin authenticate a webhook. Raises WebhookRejected, or what the plugin raises."""
        instance = await self.instance()
        request = WebhookRequest(
            "POST",
            {name.lower(): value for name, value in _typed(webhook).items()},
            webhook.query,
            webhook.body,
            self.instance_id if webhook.names_instance else None,
            webhook.path_secret,
        )
        return self.plugins.receive(self.plugin, request, [instance], [instance])

    def normalize(self, accepted: Accepted, later: timedelta = timedelta()) -> Normalized:
        """Have the plugin normalise, without HTTP and with a clock that is `later`."""
        now = self.plugin.context.now() + later
        plugin = replace(self.plugin, context=replace(self.plugin.context, http=_NoHttp(), now=lambda: now))
        return self.plugins.normalize(plugin, accepted)

    async def read(self, body: Any) -> Normalized:
        """Return what a genuine webhook with a declared body says. Raises Failed for one that is not accepted."""
        accepted = await self.receive(await self.genuine(body))
        if not isinstance(accepted, Accepted):
            raise Failed("provider_receive answered a Challenge to a POST with an event")
        return self.normalize(accepted)

    # What goes out ------------------------------------------------------------------------------------

    def arrivals(self) -> int:
        """Return how many messages reached customers."""
        return len(self.declared.arrived(self.standin))

    def arrivals_of(self, text: str) -> int:
        """Return how many of them have a text."""
        return sum(text in str(entry) for entry in self.declared.arrived(self.standin))

    async def call(self, method: str, path: str, json: Any = None) -> httpx.Response:
        """Call the API as an admin, and keep what it said."""
        answer = await self.api.http.request(method, path, json=json)
        self.said.append(answer.text)
        return answer

    async def send(self, conversation: UUID, text: str) -> dict[str, Any]:
        """Send a text through the API and return the message."""
        answer = await self.call("POST", "/api/messages/send", {"conversationId": str(conversation), "text": text})
        if answer.status_code != 201:
            raise Failed(f"POST /api/messages/send answered {answer.status_code}: {answer.text[:400]}")
        return dict(answer.json())

    async def settles(self, message_id: str) -> dict[str, Any]:
        """Wait until there is a verdict on a message, and return it."""

        async def look() -> dict[str, Any] | None:
            message = dict((await self.call("GET", f"/api/messages/{message_id}")).json())
            return None if message["status"] in ("pending", "sending") else message

        return await until(look, "a verdict on a sent message")

    async def secrets_in_database(self, marks: set[str]) -> list[str]:
        """Return where the database, or what the API said, holds one of `marks`."""
        rows = await self.server.kernel.db.fetch(KEPT_TEXTS)
        places = [(row["place"], row["text"] or "") for row in rows] + [
            ("an answer of the API", one) for one in self.said
        ]
        return [f"{place} ({seen})" for place, text in places if (seen := around(text, marks))]


def _typed(webhook: Webhook) -> dict[str, str]:
    given = {name.lower() for name in webhook.headers}
    return {**({} if "content-type" in given else {"content-type": "application/json"}), **webhook.headers}


class _NoHttp:
    """For hooks that do no I/O."""

    async def request(self, *_: Any, **__: Any) -> Any:
        raise Failed("provider_normalize made an HTTP request: it must be pure")

    def stream(self, *_: Any, **__: Any) -> Any:
        raise Failed("provider_normalize made an HTTP request: it must be pure")
