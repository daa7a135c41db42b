"""Our own webhooks going out: real HTTP to the instance's webhook URL, so that all of the inbound path is used."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from elsehu.plugin import Answer, AnswerLost, Instance, NotSent, PluginContext
from elsehu_sandbox.faults import DuplicateWebhooks, ReorderWebhooks, WebhookFault, take
from elsehu_sandbox.normalize import SECRET_HEADER
from elsehu_sandbox.phone import Line, phone_of, time_of

PATIENT = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
IMPATIENT = (0.1, 0.2, 0.5)


async def post(context: PluginContext, instance: Instance, events: Sequence[Mapping[str, Any]]) -> Answer:
    """Post one webhook, once. Raises NotSent or AnswerLost."""
    headers = {SECRET_HEADER: instance.webhook_secret}
    return await context.http.request("POST", instance.webhook_url, json={"events": list(events)}, headers=headers)


async def post_until_taken(
    context: PluginContext, instance: Instance, event: Line, pauses: Sequence[float] = PATIENT
) -> bool:
    """Post one event and repeat it until it is answered 2xx, as providers do. Return whether it was."""
    for pause in (*pauses, None):
        if not phone_of(context, instance).state().is_online(context.now()):
            return False
        try:
            answer = await post(context, instance, [event])
        except (NotSent, AnswerLost):
            answer = None
        if answer and answer.ok:
            return True
        if pause is None or (answer and answer.status < 500):
            break
        await asyncio.sleep(pause)
    context.log("webhook_given_up", instance_id=str(instance.id), event_type=event.get("type"))
    return False


def spoiled(context: PluginContext, instance: Instance, lines: Sequence[Line]) -> list[Line]:
    """Return `lines` in the order in which their webhooks come: as they are, unless a fault is due."""
    phone = phone_of(context, instance)
    if not phone.state().faults:
        return list(lines)
    with phone.changing() as state:
        fault = take(state.faults, WebhookFault)
    if isinstance(fault, DuplicateWebhooks):
        return [line for line in lines for _ in range(2)]
    return list(reversed(lines)) if isinstance(fault, ReorderWebhooks) else list(lines)


async def deliver_now(context: PluginContext, instance: Instance, lines: Sequence[Line]) -> bool:
    """Post each line as a webhook, one after the other, with little patience. Return whether all were taken."""
    order = spoiled(context, instance, lines)
    return all([await post_until_taken(context, instance, line, IMPATIENT) for line in order])


async def deliver_when_due(context: PluginContext, instance: Instance, lines: Sequence[Line]) -> None:
    """Post each line as a webhook, one after the other, none before it is due."""
    for line in spoiled(context, instance, sorted(lines, key=time_of)):
        wait = (time_of(line) - context.now()).total_seconds()
        await asyncio.sleep(max(wait, 0))
        await post_until_taken(context, instance, line)


class Deliveries:
    """The webhooks still to come, as background tasks of this process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, context: PluginContext, instance: Instance, lines: Sequence[Line]) -> None:
        """Deliver `lines` when they are due."""
        if not lines:
            return
        task = asyncio.create_task(deliver_when_due(context, instance, lines), name="sandbox webhooks")
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(context, done))

    def _ended(self, context: PluginContext, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error:
            context.log("delivery_broke", error=type(error).__name__)
