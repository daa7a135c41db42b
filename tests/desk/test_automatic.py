"""Assignment by rule, in the database: oldest first, to who is there and has room; back from who is gone."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from elsehu.contracts.errors import ConfigError
from elsehu.contracts.rules import Decision, Snapshot
from elsehu.contracts.user import Caller, Role
from elsehu.desk import assignment
from elsehu.desk.automatic import leaving, presence, returning
from elsehu.desk.automatic.assigning import assign_waiting
from elsehu.desk.automatic.giving import Gift, give_by_rule
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.plugin import PluginInfo, hookimpl
from elsehu.plugins import Plugins, installed, load_plugins
from elsehu.settings import Settings

START = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday, 9:00 in São Paulo


@dataclass
class Desk:
    """A desk in the database, without a server."""

    kernel: Kernel
    number: UUID

    async def operator(self, name: str, status: str = "online", role: str = "OPERATOR", **own: Any) -> UUID:
        """Add a user who is there."""
        db, user_id = self.kernel.db, new_id()
        insert = "INSERT INTO users (id, name, email, password_hash, role) VALUES ($1, $2, $3, '', $4)"
        await db.execute(insert, user_id, name, f"{user_id}@example.com", role)
        await db.execute("INSERT INTO desk_operators (user_id) VALUES ($1)", user_id)
        await self.is_now(user_id, status)
        for column, value in own.items():
            shown = orjson.dumps(value).decode() if column == "hours" else value
            await db.execute(f"UPDATE desk_operators SET {column} = $2 WHERE user_id = $1", user_id, shown)
        return user_id

    async def is_now(self, user_id: UUID, status: str, since: datetime = START) -> None:
        sql = "UPDATE desk_operators SET presence = $2, presence_since = $3 WHERE user_id = $1"
        await self.kernel.db.execute(sql, user_id, status, since)

    async def waits(self, seconds: int, contact: UUID | None = None, number: UUID | None = None, **more: Any) -> UUID:
        """Add a conversation that was opened so many seconds after the start."""
        conversation_id, at = new_id(), START + timedelta(seconds=seconds)
        values = {
            "id": conversation_id, "contact_id": contact or await self.contact(), "instance_id": number or self.number,
            "status": "queued", "opened_at": at, "last_activity_at": at, "last_inbound_at": at, "tags": [], **more,
        }  # fmt: skip
        places = ", ".join(f"${place + 1}" for place in range(len(values)))
        sql = f"INSERT INTO conversations ({', '.join(values)}) VALUES ({places})"
        await self.kernel.db.execute(sql, *values.values())
        return conversation_id

    async def contact(self) -> UUID:
        contact_id = new_id()
        sql = "INSERT INTO contacts (id, name, tags, search_text) VALUES ($1, 'Maria', '{}', '')"
        await self.kernel.db.execute(sql, contact_id)
        return contact_id

    async def closed(self, owner: UUID, seconds: int, tabulation: UUID | None = None) -> UUID:
        """Add a closed conversation of an operator; return its contact."""
        contact, at = await self.contact(), START + timedelta(seconds=seconds)
        done = {"status": "closed", "closed_at": at, "assigned_to": owner, "tabulation_id": tabulation}
        await self.waits(seconds - 60, contact, **done, tabulation_name="Resolved")
        return contact

    async def team(self, *members: UUID, **more: Any) -> UUID:
        team_id = new_id()
        sql = "INSERT INTO teams (id, name, instance_ids, hours) VALUES ($1, $2, $3, $4)"
        hours = more.get("hours") and orjson.dumps(more["hours"]).decode()
        await self.kernel.db.execute(sql, team_id, str(team_id), more.get("numbers"), hours)
        for user_id in members:
            await self.kernel.db.execute(
                "INSERT INTO team_members (team_id, user_id) VALUES ($1, $2)", team_id, user_id
            )
        return team_id

    async def owner(self, conversation: UUID) -> UUID | None:
        owner: UUID | None = await self.kernel.db.fetch_value(
            "SELECT assigned_to FROM conversations WHERE id = $1", conversation
        )
        return owner

    async def owners(self, conversations: Sequence[UUID]) -> list[UUID | None]:
        return [await self.owner(one) for one in conversations]

    async def steps(self, conversation: UUID) -> list[tuple[str, str, dict[str, Any]]]:
        sql = "SELECT action, actor_name, details FROM conversation_timeline WHERE conversation_id = $1 ORDER BY id"
        rows = await self.kernel.db.fetch(sql, conversation)
        return [(row["action"], row["actor_name"], orjson.loads(row["details"])) for row in rows]


async def add_number(kernel: Kernel) -> UUID:
    number, sealed = new_id(), kernel.secrets.encrypt(b"{}")
    sql = """INSERT INTO service_instances (id, name, provider, is_active, status, credentials, state, webhook_secret,
             settings) VALUES ($1, $2, 'sandbox', true, 'connected', $3, $3, $3, '{}')"""
    await kernel.db.execute(sql, number, str(number), sealed)
    return number


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"desk": {"assignment": "least_busy", "capacity": 2, "sticky_hours": 1.0}}


@pytest.fixture
async def desk(kernel: Kernel) -> Desk:
    object.__setattr__(kernel, "now", lambda: START + timedelta(hours=1))
    return Desk(kernel, await add_number(kernel))


async def test_the_oldest_come_first_and_nobody_gets_more_than_he_may(desk: Desk) -> None:
    ana, bia = await desk.operator("Ana"), await desk.operator("Bia", capacity=1)
    conversations = [await desk.waits(seconds) for seconds in (40, 10, 30, 20, 50)]
    assert await assign_waiting(desk.kernel) == 3
    owners = await desk.owners(conversations)
    assert [owner is not None for owner in owners] == [False, True, True, True, False]
    assert sorted(filter(None, owners)) == sorted([ana, ana, bia])
    assert await assign_waiting(desk.kernel) == 0


async def test_why_is_in_the_timeline_and_everybody_is_told(desk: Desk) -> None:
    ana = await desk.operator("Ana")
    conversation = await desk.waits(60)
    await assign_waiting(desk.kernel)
    [(action, actor, details)] = await desk.steps(conversation)
    assert (action, actor) == ("assigned", "Elsehu")
    assert details == {
        "to": {"id": str(ana), "name": "Ana"},
        "automatic": {
            "rule": "least_busy",
            "reasons": ["has the fewest conversations: 0 of 2", "was not given one yet", "one of 1 who were free"],
            "waited": 3540,
        },
    }
    row = await desk.kernel.db.fetch_row("SELECT type, data FROM events WHERE subject_id = $1", conversation)
    assert row
    assert (row["type"], orjson.loads(row["data"])) == (
        "conversation:updated",
        {"previousAssignee": None, "wasQueued": True},
    )


@pytest.mark.parametrize("status", ["offline", "away"])
async def test_nobody_who_is_not_there_gets_anything(desk: Desk, status: str) -> None:
    await desk.operator("Ana", status)
    await desk.operator("Chief", role="SUPERVISOR")
    conversation = await desk.waits(0)
    assert await assign_waiting(desk.kernel) == 0
    assert await desk.owner(conversation) is None


async def test_queues_are_for_those_who_serve_them(desk: Desk) -> None:
    other = await add_number(desk.kernel)
    ana, bia = await desk.operator("Ana", instance_ids=[desk.number]), await desk.operator("Bia", instance_ids=[])
    team = await desk.team(bia)
    for_nobody = await desk.waits(0, number=other)
    for_ana, for_bia = await desk.waits(1), await desk.waits(2, number=other, team_id=team)
    assert await assign_waiting(desk.kernel) == 2
    assert await desk.owners([for_nobody, for_ana, for_bia]) == [None, ana, bia]


async def test_of_several_queues_the_oldest_conversation_comes_first(desk: Desk) -> None:
    ana, other = await desk.operator("Ana"), await add_number(desk.kernel)
    conversations = [
        await desk.waits(30), await desk.waits(10, number=other), await desk.waits(40, number=other),
        await desk.waits(20),
    ]  # fmt: skip
    await assign_waiting(desk.kernel)
    assert await desk.owners(conversations) == [None, ana, None, ana]


@pytest.mark.parametrize(
    ("own", "of_team", "on_duty"),
    [
        ("09:00", None, True),
        ("12:00", None, False),
        (None, "09:00", True),
        (None, "12:00", False),
        ("09:00", "12:00", True),
    ],
)
async def test_nobody_gets_anything_outside_his_hours(
    desk: Desk, own: str | None, of_team: str | None, on_duty: bool
) -> None:
    """It is 10:00 in São Paulo. An operator's own hours count before those of his team."""

    def hours(start: str | None) -> Any:
        ranges = [{"days": ["mon"], "from": start, "to": "18:00"}]
        return start and {"timezone": "America/Sao_Paulo", "ranges": ranges}

    ana = await desk.operator("Ana", **({"hours": hours(own)} if own else {}))
    team = await desk.team(ana, hours=hours(of_team)) if of_team else None
    await desk.waits(0, team_id=team)
    assert await assign_waiting(desk.kernel) == int(on_duty)


async def test_customers_go_back_to_whom_they_had_last(desk: Desk) -> None:
    ana, bia = await desk.operator("Ana"), await desk.operator("Bia", capacity=9)
    recent, long_ago = await desk.closed(ana, 0), await desk.closed(ana, -3700)
    await desk.waits(-10, status="assigned", assigned_to=ana, assigned_at=START)
    old, back = await desk.waits(1, long_ago), await desk.waits(2, recent)
    await assign_waiting(desk.kernel)
    assert await desk.owners([old, back]) == [bia, ana]
    [(_, _, details)] = await desk.steps(back)
    assert details["automatic"]["reasons"] == ["had the customer's last conversation"]


async def test_who_gave_one_back_does_not_get_it_again_and_it_holds_up_nobody_for_him(desk: Desk) -> None:
    ana = await desk.operator("Ana", capacity=9)
    first, second = await desk.waits(1), await desk.waits(2)
    caller = Caller(Role.OPERATOR, ana, "Ana")
    await assign_waiting(desk.kernel)
    async with desk.kernel.db.transaction() as uow:
        await assignment.release(uow, caller, first, now=START)
    third = await desk.waits(3)
    await assign_waiting(desk.kernel)
    assert await desk.owners([first, second, third]) == [None, ana, ana]
    bia = await desk.operator("Bia")
    await assign_waiting(desk.kernel)
    assert await desk.owner(first) == bia


class TestTheMomentOfGiving:
    """What a rule decided is looked at again, whoever was quicker."""

    async def given(self, desk: Desk, conversation: UUID, user: UUID, capacity: int = 2, **more: Any) -> bool:
        async with desk.kernel.db.transaction() as uow:
            return await give_by_rule(uow, Gift(conversation, user, capacity, {}, **more), START)

    async def test_what_is_not_so_any_more(self, desk: Desk) -> None:
        ana, bia = await desk.operator("Ana"), await desk.operator("Bia", "offline")
        older, conversation = await desk.waits(0), await desk.waits(1)
        assert not await self.given(desk, conversation, bia), "offline"
        assert not await self.given(desk, conversation, ana), "an older one waits"
        assert not await self.given(desk, older, ana, 0), "no room"
        assert await self.given(desk, older, ana)
        assert not await self.given(desk, older, ana), "waits no more"
        await desk.kernel.db.execute("UPDATE users SET is_active = false WHERE id = $1", ana)
        assert not await self.given(desk, conversation, ana), "inactive"
        assert await desk.steps(conversation) == []

    async def test_who_leaves_in_this_moment_gets_nothing(self, desk: Desk) -> None:
        ana, conversation = await desk.operator("Ana"), await desk.waits(0)
        async with desk.kernel.db.transaction() as uow:
            await presence.note(uow, {}, START)
            giving = asyncio.create_task(self.given(desk, conversation, ana))
            await until_somebody_waits(desk.kernel)
        assert await giving is False

    async def test_who_takes_one_himself_in_this_moment_gets_no_more_than_he_may(self, desk: Desk) -> None:
        ana = await desk.operator("Ana")
        one, two = await desk.waits(0), await desk.waits(1)
        async with desk.kernel.db.transaction() as uow:
            await assignment.assign(uow, Caller(Role.OPERATOR, ana, "Ana"), two, ana, now=START)
            giving = asyncio.create_task(self.given(desk, one, ana, 1))
            await until_somebody_waits(desk.kernel)
        assert await giving is False
        assert await self.given(desk, one, ana, 2)

    async def test_many_who_assign_at_once_do_as_well_as_one(self, desk: Desk) -> None:
        people = [await desk.operator(f"Ana {number}", capacity=3) for number in range(4)]
        conversations = [await desk.waits(seconds) for seconds in range(20)]
        await asyncio.gather(*(assign_waiting(desk.kernel) for _ in range(6)))
        await assign_waiting(desk.kernel)
        owners = await desk.owners(conversations)
        assert [owner is not None for owner in owners] == [True] * 12 + [False] * 8
        assert sorted(filter(None, owners)) == sorted(people * 3)
        for conversation in conversations[:12]:
            assert len(await desk.steps(conversation)) == 1


async def until_somebody_waits(kernel: Kernel) -> None:
    sql = """SELECT count(*) FROM pg_stat_activity
             WHERE wait_event_type = 'Lock' AND datname = current_database()"""
    async with asyncio.timeout(10):
        while not await kernel.db.fetch_value(sql):
            await asyncio.sleep(0.005)


class TestWhoIsGone:
    async def test_what_he_had_goes_back_to_where_it_came_from(self, desk: Desk) -> None:
        ana, bia, eva = [await desk.operator(name) for name in ("Ana", "Bia", "Eva")]
        team = await desk.team(ana)
        mine = {"status": "assigned", "assigned_at": START}
        one = await desk.waits(0, assigned_to=ana, team_id=team, **mine)
        fresh = await desk.waits(1, assigned_to=ana, status="assigned", assigned_at=START + timedelta(minutes=9))
        other, away = await desk.waits(2, assigned_to=bia, **mine), await desk.waits(3, assigned_to=eva, **mine)
        await desk.is_now(ana, "offline", START + timedelta(minutes=5))
        await desk.is_now(eva, "away", START - timedelta(hours=9))
        assert await leaving.take_back(desk.kernel, START + timedelta(minutes=4)) == 0
        assert await leaving.take_back(desk.kernel, START + timedelta(minutes=6)) == 1
        assert await desk.owners([one, fresh, other, away]) == [None, ana, bia, eva]
        [(action, actor, details)] = await desk.steps(one)
        assert (action, actor) == ("released", "Elsehu")
        assert details == {"from": {"id": str(ana), "name": "Ana"}, "reason": "offline"}
        row = await desk.kernel.db.fetch_row("SELECT status, team_id FROM conversations WHERE id = $1", one)
        assert row
        assert tuple(row) == ("queued", team)

    async def test_presence_follows_redis_and_says_since_when(self, desk: Desk) -> None:
        ana, bia = await desk.operator("Ana", "offline"), await desk.operator("Bia")
        redis, until = desk.kernel.redis, desk.kernel.now().timestamp() + 60
        entry = {"status": "away", "until": until, "held": {}}
        await redis.hset("elsehu:presence", str(ana), orjson.dumps(entry))  # type: ignore[misc]
        await redis.hset("elsehu:presence", str(bia), orjson.dumps({**entry, "until": until - 61}))  # type: ignore[misc]
        async with desk.kernel.db.transaction() as uow:
            assert await presence.follow(uow, desk.kernel)
        rows = await desk.kernel.db.fetch("SELECT user_id, presence, presence_since FROM desk_operators")
        now = desk.kernel.now()
        assert {tuple(row) for row in rows} == {(ana, "away", now), (bia, "offline", now)}


class TestWhoComesBack:
    async def tabulation(self, desk: Desk, minutes: int | None) -> UUID:
        tabulation = new_id()
        sql = 'INSERT INTO tabulations (id, name, "group", return_minutes) VALUES ($1, $2, $3, $4)'
        await desk.kernel.db.execute(sql, tabulation, str(tabulation), "", minutes)
        return tabulation

    async def test_within_the_time_of_the_tabulation_he_goes_to_the_same_operator_past_the_queue(
        self, desk: Desk
    ) -> None:
        ana, eva = await desk.operator("Ana"), await desk.operator("Eva", "offline")
        hour, none = await self.tabulation(desk, 90), await self.tabulation(desk, None)
        back = await desk.closed(ana, 0, hour)
        conversations = [
            await desk.waits(0),
            await desk.waits(60, back),
            await desk.waits(60, await desk.closed(ana, -6000, hour)),
            await desk.waits(60, await desk.closed(ana, 0, none)),
            await desk.waits(60, await desk.closed(eva, 0, hour)),
        ]
        assert await returning.give_returned(desk.kernel) == 1
        assert await desk.owners(conversations) == [None, ana, None, None, None]
        [(action, _, details)] = await desk.steps(conversations[1])
        assert (action, details["automatic"]["rule"]) == ("assigned", "return")
        async with desk.kernel.db.transaction() as uow:
            await assignment.release(uow, Caller(Role.OPERATOR, ana, "Ana"), conversations[1], now=START)
        assert await returning.give_returned(desk.kernel) == 0


class Vip:
    """A plugin with a rule: VIPs to whoever is idle, and a bug for who is tagged so."""

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo("vip", "VIPs first")

    @hookimpl
    def choose_operator(self, snapshot: Snapshot) -> Decision | None:
        if "bug" in snapshot.waiting.tags:
            raise RuntimeError("a bug")
        if "vip" in snapshot.waiting.tags:
            return Decision(snapshot.free[-1].user_id, ["a VIP"])
        return None


@dataclass(frozen=True)
class Entry:
    value: str = "vip"
    dist: None = None

    def load(self) -> type[Vip]:
        return Vip


FOUND: Any = {**installed(), "vip": [Entry()]}


class TestARuleOfAPlugin:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {
            "desk": {"assignment": "vip, round_robin", "capacity": 9},
            "plugins": {"enabled": ["sandbox", "storage_local", "vip"]},
        }

    @pytest.fixture
    def plugins(self, settings: Settings) -> Plugins:
        return load_plugins(settings, FOUND)

    async def test_the_first_answer_wins_and_a_bug_is_no_answer(self, desk: Desk) -> None:
        people = [await desk.operator(name) for name in ("Ana", "Bia")]
        conversations = [await desk.waits(1, tags=["vip"]), await desk.waits(2), await desk.waits(3, tags=["bug"])]
        await assign_waiting(desk.kernel)
        steps = [await desk.steps(conversation) for conversation in conversations]
        assert [step[0][2]["automatic"]["rule"] for step in steps] == ["vip", "round_robin", "round_robin"]
        assert await desk.owner(conversations[0]) == people[1]


@pytest.mark.parametrize("name", ["least_bussy", "sandbox", "round_robin, vip"])
def test_a_rule_that_is_none_refuses_to_start(name: str) -> None:
    with pytest.raises(ConfigError, match=r"\[desk\] assignment") as refused:
        load_plugins(Settings(desk={"assignment": name}))
    assert refused.value.code == "assignment_not_found"
