"""Every hook of Elsehu, in one file: this is the contract with plugins.

A plugin is a module, object or class found by an entry point of the group `elsehu`; a class is instantiated
without arguments once for each load, and is where a plugin keeps state. Its hook functions carry `@hookimpl`
and take any subset of the arguments named here. Four families, told apart by how they are called:

* provider and storage hooks reach **one plugin only**: the one that owns the instance's provider, or the
  storage chosen in `elsehu.toml`. A provider's *abilities* are the optional hooks that it implements.
* rules are sync and pure, asked in the order of `elsehu.toml`; the first answer that is not None wins.
* registration hooks are called once at start, sync and without I/O; a name that two plugins claim refuses
  to start.
* notifications are async and come after commit, each plugin in order; a failure is logged and counted and
  the next plugin goes on. They are hints: after a crash one can be missing, so reconcile from rows.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pluggy

from elsehu.contracts.inbound import Item, MediaContent, Normalized
from elsehu.contracts.instance import Instance, InstanceReport, Pairing
from elsehu.contracts.message import Identity
from elsehu.contracts.outbound import OutboundMessage, Quoted, Sent
from elsehu.contracts.plugin import PluginContext, PluginInfo
from elsehu.contracts.report import ReportExporter
from elsehu.contracts.rules import Closing, Decision, Refusal, Snapshot
from elsehu.contracts.storage import ByteRange, StoredObject
from elsehu.contracts.template import ProviderTemplate
from elsehu.contracts.webhook import Accepted, Challenge, WebhookRequest

if TYPE_CHECKING:
    import click

hookspec = pluggy.HookspecMarker("elsehu")
hookimpl = pluggy.HookimplMarker("elsehu")


class PluginHooks:
    """What every plugin answers."""

    @hookspec(firstresult=True)
    def plugin_info(self) -> PluginInfo:
        """Say who you are. Required; called before anything else; no I/O."""
        raise NotImplementedError


class ProviderHooks:
    """A provider: one vendor's API. Required: receive, normalize, send, connect, disconnect, status."""

    @hookspec
    def provider_receive(
        self,
        context: PluginContext,
        request: WebhookRequest,
        instances: Sequence[Instance],
        siblings: Sequence[Instance],
    ) -> Accepted | Challenge:
        """Authenticate a webhook request, or answer a verification challenge. Sync, pure, microseconds.

        `instances` are those the URL names (one), or all of this provider; `siblings` are always all, for bodies
        that speak of others than the URL names. Compare secrets in constant
        time and before parsing. Raise WebhookRejected (401, nothing stored) for a bad or missing proof;
        never for a body that is only strange.
        """
        raise NotImplementedError

    @hookspec
    def provider_normalize(self, context: PluginContext, accepted: Accepted) -> Normalized:
        """Turn an authenticated payload into events. Sync and pure: no I/O, no clock, no randomness.

        Never raises for what a sender can put in a body: a part that cannot be read becomes `Broken`, the
        others go in. Anything unknown stays in `raw`. Called again with the stored `raw` on replay.
        """
        raise NotImplementedError

    @hookspec
    async def provider_send(self, context: PluginContext, instance: Instance, message: OutboundMessage) -> Sent:
        """Hand one message to the provider. Called by the dispatcher alone, outside any transaction.

        At most one call per conversation is in flight. Raise a ProviderError: Retryable only if it
        certainly was not taken; OutcomeUnknown if it may have been; Rejected for good; InstanceSick to
        hold the instance's queue. Anything else that escapes counts as OutcomeUnknown.
        """
        raise NotImplementedError

    @hookspec
    async def provider_connect(self, context: PluginContext, instance: Instance) -> InstanceReport:
        """Make the number ready: create it at the provider, set the webhook where it differs, ask its state.

        Called after an instance was created or activated, on every start, and by `POST …/connect`; so it
        must be idempotent. Raise a ProviderError where the provider cannot be reached or refuses.
        """
        raise NotImplementedError

    @hookspec
    async def provider_disconnect(self, context: PluginContext, instance: Instance, forget: bool) -> InstanceReport:
        """Log the number out; with `forget` also delete it at the provider. Idempotent."""
        raise NotImplementedError

    @hookspec
    async def provider_status(self, context: PluginContext, instance: Instance) -> InstanceReport:
        """Ask the provider how the number stands now. Called every minute or so and by `GET …/status`."""
        raise NotImplementedError

    @hookspec
    async def provider_qrcode(self, context: PluginContext, instance: Instance) -> Pairing:
        """Ability `qrcode`: what a person scans to link a phone. Answers `CONNECTED` if that is done."""
        raise NotImplementedError

    @hookspec
    def provider_media(self, context: PluginContext, instance: Instance, media: MediaContent) -> AsyncIterator[bytes]:
        """Ability `media`: yield the bytes of a file that a webhook only referred to.

        Raise Retryable to be called again later, Rejected when the file is gone for good.
        """
        raise NotImplementedError

    @hookspec
    def provider_history(
        self, context: PluginContext, instance: Instance, since: datetime, until: datetime
    ) -> AsyncIterator[Sequence[Item]]:
        """Ability `history`: yield what happened between two aware UTC times, oldest first, in pages.

        Called when an instance reconnects and at intervals; items are applied like a webhook's.
        """
        raise NotImplementedError

    @hookspec
    async def provider_mark_read(self, context: PluginContext, instance: Instance, messages: Sequence[Quoted]) -> None:
        """Ability `mark_read`: show the customer that these messages were read. Best effort."""
        raise NotImplementedError

    @hookspec
    async def provider_typing(
        self, context: PluginContext, instance: Instance, to: Sequence[Identity], state: str, last: Quoted | None
    ) -> None:
        """Ability `typing`: show the customer `composing`, `recording` or `paused`. Best effort.

        `last` is the customer's newest message in the conversation, if there is one.
        """
        raise NotImplementedError

    @hookspec
    def provider_templates(
        self, context: PluginContext, instance: Instance
    ) -> AsyncIterator[Sequence[ProviderTemplate]]:
        """Ability `templates`: yield all templates of the instance's account, page by page.

        A provider with this ability takes the kind `template`; for the others templates are sent as text.
        """
        raise NotImplementedError

    @hookspec
    async def provider_save_template(
        self, context: PluginContext, instance: Instance, template: ProviderTemplate
    ) -> ProviderTemplate:
        """Ability `save_template`: create a template (`external_id` None) or edit it; return what it became."""
        raise NotImplementedError

    @hookspec
    async def provider_delete_template(
        self, context: PluginContext, instance: Instance, template: ProviderTemplate
    ) -> None:
        """Ability `delete_template`: delete one language of a template; one that is not there is no error."""
        raise NotImplementedError

    @hookspec
    async def provider_check_numbers(
        self, context: PluginContext, instance: Instance, phones: Sequence[str]
    ) -> Mapping[str, Identity | None]:
        """Ability `check_numbers`: say which of these phones (canonical digits) can be written to.

        Give the address of each that can, and None for each that certainly cannot; leave out what the vendor did not
        say. A failure is no verdict: raise a ProviderError. Ask gently: vendors take many questions for spam.
        """
        raise NotImplementedError


class StorageHooks:
    """A media storage. Keys are made by the kernel: lower-case letters, digits, `/`, `-`; never from outside.

    Each hook refuses any other key (`elsehu.plugin.check_key`). A storage that fails raises Unavailable. The
    conformance suite is `elsehu.testing.storage_suite`.
    """

    @hookspec
    async def storage_put(
        self, context: PluginContext, key: str, chunks: AsyncIterator[bytes], mime_type: str
    ) -> StoredObject:
        """Store a stream under `key`, whole or not at all, durable when this returns.

        What `chunks` raises passes through unchanged, and nothing remains.
        """
        raise NotImplementedError

    @hookspec
    def storage_open(self, context: PluginContext, key: str, byte_range: ByteRange | None) -> AsyncIterator[bytes]:
        """Yield the object's bytes, or those of the range. Raises FileNotFoundError at the first step."""
        raise NotImplementedError

    @hookspec
    async def storage_delete(self, context: PluginContext, key: str) -> None:
        """Delete the object; one that is not there is no error."""
        raise NotImplementedError

    @hookspec
    async def storage_url(
        self, context: PluginContext, key: str, disposition: str, mime_type: str, seconds: int
    ) -> str | None:
        """Optional: a presigned URL, valid for about `seconds`, to which a browser may be redirected.

        It must answer with `disposition` as Content-Disposition and `mime_type` as Content-Type, whatever the
        object was stored as: they keep browsers from running what a customer sent. None: the bytes go through us.
        """
        raise NotImplementedError


class RuleHooks:
    """Rules of the desk: sync and pure; the first answer that is not None wins."""

    @hookspec(firstresult=True)
    def tabulation_rules(self, context: PluginContext, closing: Closing) -> Refusal | None:
        """Refuse the closing of a conversation, naming the fields at fault; None to let it pass."""
        raise NotImplementedError

    @hookspec(firstresult=True)
    def choose_operator(self, context: PluginContext, snapshot: Snapshot) -> Decision | None:
        """Say who gets a waiting conversation, and why; None to leave it to the next rule, or to wait.

        Asked only where `[desk] assignment` names the plugin, for the oldest conversation of each queue. Only one of
        `snapshot.free` gets it, whatever is decided. While the oldest waits, so do those behind it.
        """
        raise NotImplementedError


class RegistrationHooks:
    """Called once at start, sync, no I/O. Each returns a list; duplicate names refuse to start."""

    @hookspec
    def register_routes(self) -> Sequence[Any]:
        """HTTP operations (`elsehu.plugin.Operation`) to serve under `/api/`, documented in OpenAPI."""
        raise NotImplementedError

    @hookspec
    def register_tables(self) -> Sequence[str]:
        """Dotted names of Piccolo apps (`my_plugin.piccolo_app`) whose migrations `elsehu migrate` runs."""
        raise NotImplementedError

    @hookspec
    def register_commands(self) -> Sequence["click.Command"]:
        """Commands for the `elsehu` program."""
        raise NotImplementedError

    @hookspec
    def register_jobs(self) -> Sequence[Any]:
        """Background jobs and periodic tasks (`elsehu.plugin.Job`)."""
        raise NotImplementedError

    @hookspec
    def report_exporters(self, context: PluginContext) -> Sequence[ReportExporter]:
        """Formats in which reports can be had: `GET /api/reports/export?format=…`."""
        raise NotImplementedError

    @hookspec
    def register_events(self) -> Sequence[Any]:
        """Events for the socket (`elsehu.plugin.EventType`), told of by `elsehu.plugin.record_events`."""
        raise NotImplementedError

    @hookspec
    def register_contact_data(self) -> Sequence[Any]:
        """What you keep of contacts (`elsehu.plugin.ContactData`): handed out and erased when a contact asks for it."""
        raise NotImplementedError

    @hookspec
    def register_after_restore(self) -> Sequence[Any]:
        """Async functions of a unit of work (`elsehu.plugin.UnitOfWork`): run once in a restored backup.

        A backup is the past: what it says is still to be done may have been done since. Stop what would do it again.
        If one raises, the restoring fails.
        """
        raise NotImplementedError


class NotificationHooks:
    """Told after commit, async, each plugin in order. `context` is the plugin's own; `data` has the REST shape.

    `kernel` (`elsehu.plugin.Kernel`) is for what must be looked up or written because of it.
    """

    @hookspec
    async def message_received(self, context: PluginContext, kernel: Any, data: Mapping[str, Any]) -> None:
        """A message arrived or left by another road, and is stored."""

    @hookspec
    async def message_updated(self, context: PluginContext, kernel: Any, data: Mapping[str, Any]) -> None:
        """A message's status, text, reactions or media changed."""

    @hookspec
    async def conversation_opened(self, context: PluginContext, kernel: Any, data: Mapping[str, Any]) -> None:
        """A conversation was opened."""

    @hookspec
    async def conversation_updated(self, context: PluginContext, kernel: Any, data: Mapping[str, Any]) -> None:
        """A conversation was assigned, transferred, released, read or tagged."""

    @hookspec
    async def conversation_closed(self, context: PluginContext, kernel: Any, data: Mapping[str, Any]) -> None:
        """A conversation was closed with its tabulation."""

    @hookspec
    async def instance_updated(self, context: PluginContext, kernel: Any, data: Mapping[str, Any]) -> None:
        """A service instance's state changed."""


FAMILIES: Sequence[type] = (
    PluginHooks,
    ProviderHooks,
    StorageHooks,
    RuleHooks,
    RegistrationHooks,
    NotificationHooks,
)
