"""Deliveries to webhook receivers: envelope, headers, retries (reference, section 6)."""

import asyncio
import base64
import random
import time
from dataclasses import dataclass
from typing import Any

from .content import media_of
from .faults import Fault, Faults
from .flavours import dumps
from .http_post import HttpPoster
from .ids import iso
from .options import Options
from .records import WebhookRecord
from .webhook_headers import headers_of
from .world import Instance, Json, WebhookConfig, World

NEVER_RETRIED = {400, 401, 403, 404, 422}


@dataclass(slots=True, frozen=True)
class Delivery:
    """One event, ready to be posted as often as it takes."""

    record: WebhookRecord
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Hold:
    """A delivery that lets ``behind`` later ones pass first."""

    released: asyncio.Event
    behind: int


class Webhooks:
    """Sends events out; every delivery is a task of its own, nothing waits for the one before."""

    def __init__(self, world: World, faults: Faults, options: Options) -> None:
        self.server_url = ""
        self._world = world
        self._faults = faults
        self._options = options
        self._poster = HttpPoster()
        self._jitter = random.Random(options.seed)  # noqa: S311
        self._tasks: set[asyncio.Task[None]] = set()
        self._holds: list[Hold] = []

    @property
    def pending(self) -> int:
        """How many deliveries are not finished."""
        return len(self._tasks)

    def fire(self, instance: Instance, event: str, data: Any, **beside: Any) -> asyncio.Task[None] | None:
        """Start delivering an event, if the instance's webhook wants it.

        ``beside`` goes into the envelope next to ``event``. Returns the task for the one caller that waits.
        """
        hook = instance.webhook
        if hook is None or not hook.enabled or config_name(event) not in hook.events:
            return None
        if not hook.url.startswith(("http://", "https://")):
            return None
        body = dumps(beside | self._envelope(instance, hook, event, data))
        url = f"{hook.url}/{event.replace('.', '-')}" if hook.by_events else hook.url
        record = WebhookRecord(event, instance.name, url, time.time())
        self._world.webhooks.append(record)
        fault = self._faults.webhook(event, body)
        if fault and fault.effect == "drop":
            record.state = "dropped"
            return None
        return self._start(self._deliver(Delivery(record, headers_of(hook), body), fault))

    def stop(self) -> None:
        """Forget what is under way, as a stopping server does: retries live in memory only."""
        for task in self._tasks:
            task.cancel()
        self._poster.close()

    def _envelope(self, instance: Instance, hook: WebhookConfig, event: str, data: Any) -> Json:
        local = iso(time.time() + self._options.utc_offset_hours * 3600)
        envelope: Json = {
            "event": event,
            "instance": instance.name,
            "data": data,
            "destination": hook.url,
            "date_time": local,
        }
        if instance.sender:
            envelope["sender"] = instance.sender
        envelope["server_url"] = self.server_url
        envelope["apikey"] = instance.token if self._options.expose_apikey else None
        return envelope

    def _start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver(self, delivery: Delivery, fault: Fault | None) -> None:
        try:
            if fault and fault.effect == "hold":
                await self._let_others_pass(fault)
            copies = fault.copies if fault and fault.effect == "duplicate" else 1
            await asyncio.gather(*(self._insist(delivery) for _ in range(copies)))
        except asyncio.CancelledError:
            delivery.record.state = "lost"
            raise

    async def _let_others_pass(self, fault: Fault) -> None:
        hold = Hold(asyncio.Event(), fault.behind)
        self._holds.append(hold)
        try:
            async with asyncio.timeout(fault.seconds):
                await hold.released.wait()
        except TimeoutError:
            pass
        finally:
            self._holds.remove(hold)

    async def _insist(self, delivery: Delivery) -> None:
        record = delivery.record
        for attempt in range(self._options.retry_attempts):
            if attempt:
                await asyncio.sleep(self._wait(attempt))
            status = await self._attempt(delivery)
            record.statuses.append(status)
            if 200 <= status < 300:
                record.state = "delivered"
                self._passed()
                return
            if status in NEVER_RETRIED:
                record.state = "refused"
                return
        record.state = "exhausted"

    async def _attempt(self, delivery: Delivery) -> int:
        try:
            async with asyncio.timeout(self._options.webhook_timeout):
                return await self._poster.post(delivery.record.url, delivery.headers, delivery.body)
        except (OSError, EOFError, TimeoutError, ValueError):
            return 0

    def _wait(self, attempt: int) -> float:
        base = self._options.retry_base
        jittered = base * float(2 ** (attempt - 1)) * self._jitter.uniform(0.8, 1.2)
        return max(base, min(jittered, self._options.retry_longest))

    def _passed(self) -> None:
        for hold in self._holds:
            hold.behind -= 1
            if hold.behind <= 0:
                hold.released.set()


def config_name(event: str) -> str:
    """Return the name under which an event is subscribed to; ``groups.update`` thus has none that counts."""
    return event.replace(".", "_").replace("-", "_").upper()


def with_base64(cdn: dict[str, bytes], instance: Instance, data: Json) -> Json:
    """Put the file into a message's data if the session has that on; wrapped and lost media come without."""
    found = media_of(data["message"]) if instance.base64_active else None
    if found is None or found[0] not in data["message"]:
        return data
    file = cdn.get(found[1].get("directPath", ""))
    if file is None:
        return data
    return data | {"message": data["message"] | {"base64": base64.b64encode(file).decode()}}
