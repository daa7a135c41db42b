"""What can be made to go wrong, in the words of the settings and of `POST /api/sandbox/{id}/faults`."""

from typing import Annotated, Literal, TypeVar

from pydantic import Field

from elsehu.plugin import InstanceSick, OutcomeUnknown, PluginModel, ProviderError, Rejected, Retryable, TemplateStatus

Seconds = Annotated[float, Field(ge=0, le=600)]


class _Fault(PluginModel):
    times: int = Field(1, ge=1, le=1_000_000)


class SendingFault(_Fault):
    """Something that goes wrong the next `times` times that a message is sent."""

    def error(self) -> ProviderError | None:
        """Return the error that the sender gets to see, or None where there is none."""
        return None


class WebhookFault(_Fault):
    """Something that goes wrong with the webhooks of the next `times` messages."""


class MediaFault(_Fault):
    """Something that goes wrong the next `times` times that a file is fetched."""

    def error(self) -> ProviderError:
        """Return the error that the fetcher gets to see."""
        raise NotImplementedError


class Slow(SendingFault):
    """The provider takes the message only after `seconds`."""

    kind: Literal["slow"]
    seconds: Seconds = 2.0


class Throttle(SendingFault):
    """The provider does not take it: 429, come back after `retry_after` seconds (None: it does not say)."""

    kind: Literal["throttle"]
    retry_after: Seconds | None = 1.0

    def error(self) -> ProviderError:
        """Certainly not taken."""
        return Retryable("throttled", "The sandbox was told to answer 429.", "429", self.retry_after)


class ServerError(SendingFault):
    """The provider does not take it: 5xx."""

    kind: Literal["error"]
    status: int = Field(500, ge=500, le=599)

    def error(self) -> ProviderError:
        """Certainly not taken."""
        return Retryable("provider_error", f"The sandbox was told to answer {self.status}.", str(self.status))


class Reject(SendingFault):
    """The provider refuses the message for good."""

    kind: Literal["reject"]

    def error(self) -> ProviderError:
        """Refused for good."""
        return Rejected("recipient_unavailable", "The sandbox was told to refuse this message for good.", "400")


class TimeoutAfterAccept(SendingFault):
    """The message reaches the phone, but no answer comes back: the connection breaks off after `seconds`.

    The provider's echo and statuses follow by webhook; with `silent` nothing does, and only the history tells.
    """

    kind: Literal["timeout_after_accept"]
    seconds: Seconds = 0.0
    silent: bool = False

    def error(self) -> ProviderError:
        """Nobody knows whether it was taken."""
        return OutcomeUnknown("answer_lost", "The sandbox took the message and was told to lose its answer.")


class Disconnect(SendingFault):
    """The number is offline: for `seconds`, or (None) until it is connected again."""

    kind: Literal["disconnect"]
    seconds: Seconds | None = None

    def error(self) -> ProviderError:
        """The number is sick."""
        return InstanceSick("disconnected", "The sandbox was told to disconnect this number.", "disconnected")


class DuplicateWebhooks(WebhookFault):
    """Each webhook of one message comes twice."""

    kind: Literal["duplicate_webhooks"]


class ReorderWebhooks(WebhookFault):
    """The webhooks of one message come in reverse order, all when the last is due."""

    kind: Literal["reorder_webhooks"]


class MediaError(MediaFault):
    """A file cannot be fetched now."""

    kind: Literal["media_error"]

    def error(self) -> ProviderError:
        """Worth another try."""
        return Retryable("media_unavailable", "The sandbox was told to answer 503 for this file.", "503")


class MediaGone(MediaFault):
    """A file cannot be fetched any more."""

    kind: Literal["media_gone"]

    def error(self) -> ProviderError:
        """Gone for good."""
        return Rejected("media_gone", "The sandbox was told that this file is gone.", "404")


class TemplateFault(_Fault):
    """The next template that is saved becomes `status`, for `reason`; with `refuse` it is not taken at all."""

    kind: Literal["template"]
    status: TemplateStatus = TemplateStatus.REJECTED
    reason: str = Field("INVALID_FORMAT", max_length=500)
    refuse: bool = False


AnySending = Slow | Throttle | ServerError | Reject | TimeoutAfterAccept | Disconnect
AnyOther = DuplicateWebhooks | ReorderWebhooks | MediaError | MediaGone | TemplateFault
Fault = Annotated[AnySending | AnyOther, Field(discriminator="kind")]

Wanted = TypeVar("Wanted", bound=_Fault)


class StandingFault(PluginModel):
    """A fault of the settings: it happens at every `every`th chance, for as long as the setting stands."""

    every: int = Field(1, ge=1)
    fault: Fault


def take(queue: list[Fault], wanted: type[Wanted]) -> Wanted | None:
    """Take the first fault of a family off the queue, or one time of it where it is to happen several times."""
    for position, fault in enumerate(queue):
        if isinstance(fault, wanted):
            left = fault.times - 1
            queue[position : position + 1] = [fault.model_copy(update={"times": left})] if left else []
            return fault
    return None
