"""Many operators at once: a small storm, and a verdict that sees what it looks for. `storm.py` runs a large one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from elsehu.desk.automatic import assigner
from elsehu.realtime import presence
from elsehu.settings import Settings

from . import invariants
from .recorder import Record, Seen
from .storm import DESK, Size, Storm, web_processes

ANA, BIA = UUID(int=1), UUID(int=2)
OLD, YOUNG = UUID(int=11), UUID(int=12)
NUMBER, TEAM = UUID(int=21), UUID(int=22)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"desk": DESK}


async def test_nothing_goes_wrong_in_a_small_storm(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(assigner, "SWEEP_SECONDS", 0.2)
    async with web_processes(settings, 2) as servers:
        record, wrong = await Storm(servers, Size(8, 50, pause=0.1), seed=7).run()
    assert wrong == []
    happened = invariants.figures(record)
    assert happened["closed"] == 50
    assert happened["assigned by rule"] > 10


def person(user: UUID | None) -> dict[str, Any] | None:
    return user and {"id": str(user), "name": ""}


def move(n: int, conversation: UUID, status: str, owner: UUID | None = None, **more: Any) -> dict[str, Any]:
    """One entry of a record: the nth, of the nth transaction, which saw all before it."""
    place = NOW if conversation == OLD else NOW + timedelta(seconds=1)
    where = {"instance_id": NUMBER, "team_id": None, "place": place}
    entry = {"n": n, "by": n, "at": NOW + timedelta(seconds=n), "conversation_id": conversation, "status": status}
    return {**entry, "owner": owner, **where, "seen": f"{n}:{n}:", **more}


def step(n: int, action: str, automatic: bool = False, **details: Any) -> dict[str, Any]:
    shown = {name: person(user) for name, user in details.items()}
    because = {"automatic": {"rule": "least_busy"}} if automatic else {}
    at = NOW + timedelta(seconds=n)
    return {
        "by": n,
        "at": at,
        "action": action,
        "actor_id": None if automatic else ANA,
        "details": {**shown, **because},
    }


def fine() -> Record:
    """Ana is given the older of two conversations, hands it to Bia, and is given the younger."""
    return Record(
        moves={
            OLD: [move(1, OLD, "queued"), move(3, OLD, "assigned", ANA), move(4, OLD, "assigned", BIA)],
            YOUNG: [move(2, YOUNG, "queued"), move(5, YOUNG, "assigned", ANA)],
        },
        gifts=[{"user_id": ANA, "presence": "online", "load": 1} for _ in range(2)],
        returns={},
        steps={
            OLD: [step(3, "assigned", True, to=ANA), step(4, "transferred", **{"from": ANA, "to": BIA})],
            YOUNG: [step(5, "assigned", True, to=ANA)],
        },
    )


def broken(record: Record, **absent: Any) -> list[str]:
    return invariants.broken(record, {ANA: 1, BIA: 1}, absent.get("absent", {}))


def test_what_is_fine_is_fine() -> None:
    assert broken(fine()) == []
    late = (NOW + timedelta(seconds=4), NOW + timedelta(seconds=9))
    assert broken(fine(), absent={ANA: [late]}) == [], "given a second after he left: that may be"


def test_two_owners_are_seen() -> None:
    record = fine()
    record.steps[OLD][1] = step(4, "assigned", to=BIA)
    assert any("was taken from" in one for one in broken(record))
    record.steps[OLD][1] = step(4, "transferred", **{"from": BIA, "to": ANA})
    assert any("was transferred from" in one for one in broken(record))


def test_a_missing_step_is_seen() -> None:
    record = fine()
    del record.steps[OLD][1]
    assert any("the timeline of" in one for one in broken(record))


@pytest.mark.parametrize("status", ["away", "offline"])
def test_a_gift_to_who_is_gone_is_seen(status: str) -> None:
    record = fine()
    record.gifts[0]["presence"] = status
    assert broken(record) == [f"{ANA} was given a conversation while {status}"]
    gone = (NOW, NOW + timedelta(minutes=1))
    assert len(broken(fine(), absent={ANA: [gone]})) == 1


def test_too_much_is_seen() -> None:
    record = fine()
    record.gifts[1]["load"] = 2
    assert broken(record) == [f"{ANA} was given one as his 2th of 1"]


def test_who_is_overtaken_is_seen_unless_he_was_not_there_to_see() -> None:
    """The younger goes first: wrong if the older was seen to wait in the same queue, and not given back by Ana."""
    first = move(2, YOUNG, "queued"), move(3, YOUNG, "assigned", ANA)
    older = move(1, OLD, "queued")

    def record(*moves: dict[str, Any], **more: Any) -> Record:
        steps = {OLD: [], YOUNG: [step(3, "assigned", True, to=ANA)]}
        gifts = [{"user_id": ANA, "presence": "online", "load": 1}]
        return Record({OLD: list(moves), YOUNG: list(first)}, gifts, more.get("returns", {}), steps)

    assert len(broken(record(older))) == 1
    assert broken(record({**older, "team_id": TEAM})) == [], "in another queue"
    assert broken(record({**older, "n": 9, "by": 9})) == [], "came later"
    assert broken(record(older, returns={(OLD, ANA): 1})) == [], "he gave it back"
    assert len(broken(record(older, returns={(OLD, ANA): 4}))) == 1, "he gave it back after that"
    unseen = replace(record(older))
    unseen.moves[YOUNG][1]["seen"] = "1:4:1"
    assert broken(unseen) == [], "the older one's transaction was still open"


def test_what_a_snapshot_shows() -> None:
    seen = Seen.of("5:9:5,7")
    assert [xid in seen for xid in range(4, 11)] == [True, False, True, False, True, False, False]
