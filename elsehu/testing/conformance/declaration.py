"""What a provider's author declares, so that it can be tried without its vendor."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

import orjson

from elsehu.contracts.errors import ProviderError
from elsehu.contracts.http import Answer
from elsehu.contracts.instance import Instance
from elsehu.contracts.outbound import OutboundMessage
from elsehu.contracts.plugin import PluginContext


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request as the provider's servers make it.

    `headers`, `query` and `path_secret` hold what proves the sender and nothing else: the suite takes each away,
    cuts it and changes it, and wants a 401. With `names_instance` it goes to the instance's own webhook URL, else
    to the address that all instances of the provider share.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    path_secret: str | None = None
    names_instance: bool = True


@dataclass(frozen=True, slots=True)
class Expected:
    """An event that must come out of a payload: its type, and the fields that matter."""

    event: type
    fields: Mapping[str, Any]


def expect(event: type, **fields: Any) -> Expected:
    """Return an expected event: `expect(MessageArrived, external_id="1", text="coo")`."""
    return Expected(event, fields)


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of a genuine webhook: bytes, or what becomes JSON.

    `events` are all that must come out of it, in their order (None: whatever comes, but nothing broken).
    """

    name: str
    body: Any
    events: Sequence[Expected] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """How the provider fails, and what the plugin must make of it.

    `cause` is the HTTP answer that the plugin gets instead of the stand-in's, or a function that is given the
    stand-in and has its next send fail so. `marks` are further attributes that the error must have
    (`{"retry_after": 5.0}`).
    """

    error: type[ProviderError]
    cause: Answer | Callable[[Any], Awaitable[None] | None]
    marks: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """A customer's message as the suite wants it written: `phone` are its digits with the country code."""

    external_id: str
    phone: str
    text: str
    at: datetime


class ProviderConformance:
    """What is declared of a provider. The first five are needed; the others as the plugin's abilities ask for them.

    Attributes:
        plugin: the name of the plugin (its entry point).
        config: its table in elsehu.toml.
        phone: the instance's number.
        customers: phones of two customers, digits with the country code, that the stand-in takes messages for.
        nobody: a phone, written alike, that the stand-in has no account for (ability `check_numbers`).
        failures: at least one for each of Retryable, Rejected and InstanceSick.
        signs_body: whether the proof covers the body (None: the suite finds out).
        id_format: how the provider's message ids look, with `{}` for what makes one different (`wamid.{}`).
    """

    plugin: ClassVar[str]
    config: ClassVar[Mapping[str, Any]] = {}
    phone: ClassVar[str] = "+5511955550000"
    customers: ClassVar[Sequence[str]] = ("5511988887777", "5511977776666")
    nobody: ClassVar[str] = ""
    failures: ClassVar[Sequence[Failure]] = ()
    signs_body: ClassVar[bool | None] = None
    id_format: ClassVar[str] = "{}"

    def standin(self) -> AbstractAsyncContextManager[Any]:
        """Run the stand-in of the provider's API on loopback while the block lasts; give any object that holds it."""
        raise NotImplementedError

    def credentials(self, standin: Any) -> Mapping[str, Any]:
        """Return an instance's credentials as the API takes them. Secrets must be texts that occur nowhere else."""
        raise NotImplementedError

    def webhook(self, instance: Instance, body: bytes) -> Webhook:
        """Return the genuine request with this body, as the provider would make it for `instance`."""
        raise NotImplementedError

    def message(self, instance: Instance, written: Written) -> Any:
        """Return the body (bytes, or what becomes JSON) of the webhook for one text that a customer wrote."""
        raise NotImplementedError

    def arrived(self, standin: Any) -> Sequence[Any]:
        """Return what truly reached customers, oldest first: one entry, with its text in it, for each message."""
        raise NotImplementedError

    def settings(self, standin: Any) -> Mapping[str, Any]:
        """Return the instance's settings as the API takes them."""
        return {}

    async def ready(self, standin: Any, instance: Instance, context: PluginContext) -> None:
        """Do what a person would after the instance was added, so that it becomes connected (scan a code).

        `context` is the plugin's own.
        """

    def payloads(self, instance: Instance) -> Sequence[Payload]:
        """Return genuine webhooks of every sort: messages of all kinds, statuses, edits, what else there is."""
        return ()

    def unknown(self, instance: Instance) -> Sequence[Payload]:
        """Return genuine envelopes with something in them that the plugin has never heard of."""
        return ()

    def outbound(self, message: OutboundMessage) -> OutboundMessage | None:
        """Return the example to send as it suits the stand-in (`dataclasses.replace`); None leaves it out."""
        return message

    async def file(self, standin: Any, instance: Instance, written: Written) -> tuple[Any, bytes]:
        """Ability `media`: put a file on the stand-in; return the body of a message with it, and its bytes."""
        raise NotImplementedError

    async def missed(self, standin: Any, instance: Instance, written: Written) -> None:
        """Ability `history`: have the stand-in remember a message of which no webhook told."""
        raise NotImplementedError


def encoded(body: Any) -> bytes:
    """Return a declared body as it goes over the wire."""
    return body if isinstance(body, bytes) else orjson.dumps(body)


def declares(declaration: ProviderConformance, method: str) -> bool:
    """Whether the author wrote `method`."""
    return getattr(type(declaration), method) is not getattr(ProviderConformance, method)
