"""Every error that crosses a boundary, as a value with a stable code.

ElsehuError
├ ConfigError                    the installation cannot start as configured (CLI: exit code 2)
├ DomainError                    a request cannot be done (HTTP: its status)
│ ├ Malformed 400  Unauthenticated 401  PermissionDenied 403  NotFound 404  TooSlow 408  Conflict 409
│ └ Gone 410  TooLarge 413  UnsupportedMedia 415  Invalid 422  TooMany 429  Unavailable 503
├ WebhookRejected                a webhook's sender is not who it should be (HTTP: 401, nothing stored)
└ ProviderError                  a provider could not do it; judged only by the dispatcher
  ├ Retryable                    certainly not done, worth trying again
  ├ Rejected                     will never work like this
  ├ InstanceSick                 the number cannot work now: its queue is held, not burnt
  └ OutcomeUnknown               it may have been done: never repeated by itself
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from elsehu.contracts.message import Mark


class ElsehuError(Exception):
    """An error with a stable `code` (lower_snake, documented) and a `detail` that says what to do next."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class ConfigError(ElsehuError):
    """The installation cannot start: `detail` names the file, the key and the fix."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One refused field: its dotted path in the request and why."""

    field: str
    message: str


class DomainError(ElsehuError):
    """A request that cannot be done. `status` is its HTTP status; `extra` is shown beside code and detail."""

    status: ClassVar[int] = 400

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: float | None = None,
        **extra: object,
    ) -> None:
        super().__init__(code, detail)
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.extra = extra


class Malformed(DomainError):
    """The request is not what its media type says it is."""

    status = 400


class Unauthenticated(DomainError):
    """No token, or one that does not hold."""

    status = 401


class PermissionDenied(DomainError):
    """The caller's role may not do this."""

    status = 403


class NotFound(DomainError):
    """There is no such thing, or the caller may not know of it."""

    status = 404


class TooSlow(DomainError):
    """The body does not arrive."""

    status = 408


class Conflict(DomainError):
    """The state of things forbids it now."""

    status = 409


class Gone(DomainError):
    """It was here and will not come back."""

    status = 410


class TooLarge(DomainError):
    """The body is larger than this route takes."""

    status = 413


class UnsupportedMedia(DomainError):
    """The body's media type is not one that this route takes."""

    status = 415


class Invalid(DomainError):
    """Well-formed, but not valid: `errors` says which fields and why."""

    status = 422


class TooMany(DomainError):
    """Too many requests: `retry_after` says when to come back, in seconds."""

    status = 429


class Unavailable(DomainError):
    """Something that we depend on is away: `retry_after` says when to come back, in seconds."""

    status = 503


class WebhookRejected(ElsehuError):
    """Raised by `provider_receive`: the sender could not prove who it is. Answered 401, nothing stored."""


class ProviderError(ElsehuError):
    """A provider could not do what it was asked.

    `code` is ours and stable, `detail` is for a person, `provider_code` is the provider's own word.
    """

    def __init__(self, code: str, detail: str, provider_code: str | None = None) -> None:
        super().__init__(code, detail)
        self.provider_code = provider_code


class Retryable(ProviderError):
    """Certainly not done (refused connection, 429, 5xx): tried again after `retry_after` seconds or a backoff.

    Meanwhile the messages after it in the same conversation wait, others go on; with `holds_instance` the whole
    number waits. It is tried at most `most_attempts` times (None: as often as `[messaging] max_attempts` says).
    """

    def __init__(
        self,
        code: str,
        detail: str,
        provider_code: str | None = None,
        retry_after: float | None = None,
        *,
        holds_instance: bool = False,
        most_attempts: int | None = None,
    ) -> None:
        super().__init__(code, detail, provider_code)
        self.retry_after = retry_after
        self.holds_instance = holds_instance
        self.most_attempts = most_attempts


class Rejected(ProviderError):
    """The provider refused it for good: the message becomes `failed`. `mark` is what else it says (see `Mark`)."""

    def __init__(self, code: str, detail: str, provider_code: str | None = None, *, mark: Mark | None = None) -> None:
        super().__init__(code, detail, provider_code)
        self.mark = mark


class InstanceSick(ProviderError):
    """The number cannot work now. `instance_status` is what the instance becomes (see `InstanceStatus`)."""

    def __init__(
        self, code: str, detail: str, instance_status: str = "disconnected", provider_code: str | None = None
    ) -> None:
        super().__init__(code, detail, provider_code)
        self.instance_status = instance_status


class OutcomeUnknown(ProviderError):
    """The request left and no answer came: the message becomes `unconfirmed` and is never resent by itself."""
