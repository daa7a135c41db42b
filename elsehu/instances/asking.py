"""Asking a provider about a number: bounded in time, and whatever goes wrong is a ProviderError for people."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import structlog

from elsehu.contracts.errors import InstanceSick, OutcomeUnknown, ProviderError, Rejected
from elsehu.contracts.instance import Instance, InstanceReport, InstanceStatus
from elsehu.http.traces import trace_of_error
from elsehu.instances import service
from elsehu.instances.configuration import hide, secrets_of
from elsehu.kernel import Kernel

log = structlog.get_logger("elsehu.instances")

Said = TypeVar("Said")
Verb = Callable[[Instance], Awaitable[Said]]


async def ask(kernel: Kernel, instance: Instance, verb: Verb[Said]) -> Said:
    """Return what a provider's hook says of `instance`.

    Raises ProviderError, without any of the instance's secrets; an InstanceSick is written down before.
    """
    if kernel.plugins.provider(instance.provider) is None:
        raise not_enabled(instance)
    seconds = kernel.settings.instances.connect_timeout
    try:
        async with asyncio.timeout(seconds):
            return await verb(instance)
    except ProviderError as error:
        hide_secrets(kernel, instance, error)
        if isinstance(error, InstanceSick):
            await apply(kernel, instance.id, report_of(error))
        raise
    except TimeoutError:
        detail = f"The provider {instance.provider} gave no answer within {seconds:g} s. Try again shortly."
        raise OutcomeUnknown("provider_timeout", detail) from None
    except Exception as error:  # noqa: BLE001 - a plugin's mistake must not stop the others
        raise _mistake(kernel, instance, error) from None


async def apply(kernel: Kernel, instance_id: UUID, report: InstanceReport) -> None:
    """Write a report in a transaction of its own."""
    async with kernel.db.transaction() as uow:
        await service.apply_report(uow, kernel, instance_id, report)


def report_of(error: ProviderError) -> InstanceReport:
    """Return what an error in connecting says of a number: refused, or for now out of reach."""
    status = InstanceStatus.DISCONNECTED
    if isinstance(error, Rejected):
        status = InstanceStatus.BLOCKED
    if isinstance(error, InstanceSick) and error.instance_status in list(InstanceStatus):
        status = InstanceStatus(error.instance_status)
    return InstanceReport(status, error.detail)


def not_enabled(instance: Instance) -> Rejected:
    """Return the refusal for a number whose provider is not enabled."""
    detail = f"The provider {instance.provider!r} of this number is not enabled; add it to [plugins] in elsehu.toml."
    return Rejected("provider_not_enabled", detail)


def hide_secrets(kernel: Kernel, instance: Instance, error: ProviderError) -> None:
    """Take the secrets of `instance` out of an error: providers repeat what they were sent."""
    secrets = _secrets(kernel, instance)
    error.detail = hide(error.detail, secrets)
    error.provider_code = error.provider_code and hide(error.provider_code, secrets)
    error.args = (f"{error.code}: {error.detail}",)


def trace_of(kernel: Kernel, instance: Instance, error: Exception) -> str:
    """Return the traceback of a plugin's mistake for the log, without the secrets of `instance`."""
    return hide(trace_of_error(error), _secrets(kernel, instance))


def _mistake(kernel: Kernel, instance: Instance, error: Exception) -> ProviderError:
    trace = trace_of(kernel, instance, error)
    log.error("provider_hook_broke", provider=instance.provider, instance=str(instance.id), traceback=trace)
    name = type(error).__name__
    detail = f"The plugin of {instance.provider} failed unexpectedly ({name}). The log has the details."
    return ProviderError("provider_plugin_failed", detail)


def _secrets(kernel: Kernel, instance: Instance) -> list[str]:
    spec = kernel.plugins.spec(instance.provider)
    credentials = secrets_of(spec.credentials, instance.credentials) if spec else []
    kept = [text for text in instance.state.values() if isinstance(text, str) and len(text) >= 16]
    return [*credentials, *kept, instance.webhook_secret]
