"""An installation for many tests: numbers of the sandbox, people by the dozen, campaigns, and two runners.

Two, because a second one must be harmless: whatever is tested here is tested with both.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from elsehu_campaigns.running import Runner

from elsehu.plugin import Kernel
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

STATUSES = ("planned", "queued", "sent", "delivered", "read", "replied", "failed", "unconfirmed", "cancelled")
QUIETLY = {"deliveredSeconds": None, "readSeconds": None, "replySeconds": None}
OVER = ("finished", "cancelled", "failed")
numbers = itertools.count(1)


def people(count: int) -> list[str]:
    """Return so many phones that nobody else has."""
    return [f"+55119{80_000_000 + next(numbers):08d}" for _ in range(count)]


def csv_of(phones: Sequence[str], **columns: Sequence[str]) -> str:
    """Return a list with the phones, a name for each, and further columns."""
    heading = ";".join(["Nome", "Celular", *columns])
    cells = zip(phones, *columns.values(), strict=True)
    return "\n".join([heading, *(";".join([f"Cliente {row[0][-3:]}", *row]) for row in cells)])


def added_up(stats: dict[str, Any]) -> dict[str, Any]:
    """Return stats, having seen that they add up."""
    whole = sum(stats[name] for name in STATUSES) + sum(stats["skipped"].values())
    assert stats["total"] == whole, stats
    assert stats["pending"] == stats["planned"] + stats["queued"], stats
    return stats


@dataclass
class World:
    """What a test works with."""

    server: RunningServer
    admin: ApiClient
    stats_seen: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kernel(self) -> Kernel:
        return self.server.kernel

    async def number(self, **settings: Any) -> str:
        """Add a connected number of the sandbox, whose customers do nothing unless `settings` say so."""
        phone = people(1)[0]
        body = {"name": f"Shop {phone}", "phone": phone, "provider": "sandbox", "credentials": {}}
        answer = await self.admin.post("/api/service-instances", {**body, "settings": {"delays": QUIETLY, **settings}})
        instance_id = str(done(answer)["id"])
        await self.until(f"/api/service-instances/{instance_id}", lambda shown: shown["status"] == "connected")
        return instance_id

    async def upload(self, text: str) -> str:
        """Upload a list and return its id."""
        files = {"file": ("people.csv", text.encode(), "text/csv")}
        return str(done(await self.admin.http.post("/api/campaigns/upload", files=files))["fileId"])

    async def draft(self, number: str, text: str | None = None, **fields: Any) -> dict[str, Any]:
        """Make a campaign; `people` in `fields` are the phones of a list that is uploaded for it."""
        phones = fields.pop("people", None)
        if phones is not None:
            fields["fileId"] = await self.upload(csv_of(phones))
        if "templateId" not in fields:
            fields["text"] = text or "Olá {{Nome}}!"
        body = {"name": "Black Friday", "serviceInstanceId": number, **fields}
        return done(await self.admin.post("/api/campaigns", body))

    async def started(self, number: str, text: str | None = None, **fields: Any) -> str:
        """Make a campaign, start it, and return its id."""
        campaign_id = str((await self.draft(number, text, **fields))["id"])
        await self.do(campaign_id, "start")
        return campaign_id

    async def do(self, campaign_id: str, step: str) -> dict[str, Any]:
        """Take a step that must be allowed."""
        return done(await self.admin.post(f"/api/campaigns/{campaign_id}/{step}"))

    async def refused(self, campaign_id: str, step: str) -> str:
        """Take a step that must not be; return the code."""
        answer = await self.admin.post(f"/api/campaigns/{campaign_id}/{step}")
        assert answer.status_code == 409, answer.text
        return str(answer.json()["code"])

    async def show(self, campaign_id: str) -> dict[str, Any]:
        """Return a campaign, having seen that its stats add up."""
        shown = done(await self.admin.get(f"/api/campaigns/{campaign_id}"))
        added_up(shown["stats"])
        return shown

    async def stats(self, campaign_id: str) -> dict[str, Any]:
        return added_up(done(await self.admin.get(f"/api/campaigns/{campaign_id}/stats")))

    async def recipients(self, campaign_id: str, **query: str) -> list[dict[str, Any]]:
        """Return all recipients, page by page."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            params = {"limit": "200", **query, **({"cursor": cursor} if cursor else {})}
            page = done(await self.admin.get(f"/api/campaigns/{campaign_id}/recipients", params=params))
            found += page["items"]
            cursor = page["nextCursor"]
            if cursor is None:
                return found

    async def when(self, campaign_id: str, condition: Callable[[dict[str, Any]], Any], seconds: float = 30) -> Any:
        """Wait until a campaign is so, and return it; its stats add up at every look."""
        async with asyncio.timeout(seconds):
            while not condition(shown := await self.show(campaign_id)):
                await asyncio.sleep(0.02)
        return shown

    async def over(self, campaign_id: str, seconds: float = 30) -> dict[str, Any]:
        """Wait until a campaign is over."""
        shown: dict[str, Any] = await self.when(campaign_id, lambda one: one["state"] in OVER, seconds)
        return shown

    async def until(self, path: str, condition: Callable[[Any], bool], seconds: float = 20) -> Any:
        async with asyncio.timeout(seconds):
            while not condition(shown := done(await self.admin.get(path))):
                await asyncio.sleep(0.02)
        return shown

    async def arrived(self, number: str) -> list[dict[str, Any]]:
        """Return what reached customers from a number, in order."""
        params = {"limit": "1000", "type": "message"}
        page = done(await self.admin.get(f"/api/sandbox/{number}/phone", params=params))
        assert page["nextCursor"] is None
        return [line for line in page["items"] if line["direction"] == "outbound"]

    async def phones_reached(self, number: str) -> list[str]:
        return [line["to"]["phone"] for line in await self.arrived(number)]

    async def faults(self, number: str, *sequence: dict[str, Any]) -> None:
        """Order what goes wrong next."""
        done(await self.admin.post(f"/api/sandbox/{number}/faults", {"sequence": list(sequence)}))

    async def contact(self, phone: str) -> UUID:
        return UUID(str(await self.kernel.db.fetch_value("SELECT id FROM contacts WHERE phone = $1", phone[1:])))


def done(answer: httpx.Response) -> Any:
    """Return what a request that must succeed answered."""
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


@asynccontextmanager
async def served_by_two(kernel: Kernel) -> AsyncIterator[None]:
    """Have two runners serve all campaigns meanwhile, as two workers would."""
    runners = [asyncio.create_task(_serve(Runner(kernel))) for _ in range(2)]
    try:
        yield
    finally:
        for runner in runners:
            runner.cancel()
        await asyncio.gather(*runners, return_exceptions=True)


async def _serve(runner: Runner) -> None:
    while True:
        served = await runner.round()
        await asyncio.sleep(0 if any(one.is_busy for one in served) else 0.05)
