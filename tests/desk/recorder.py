"""What really happened to conversations and operators, written down by triggers of a test's own database.

An entry can be compared with a PostgreSQL snapshot, so that "what could be known when this was decided" has an exact
answer, whatever ran at the same time.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from elsehu.kernel import Kernel

TRIGGERS = """
ALTER TABLE conversations ADD COLUMN seen_by_change text;
CREATE TABLE moves (
    n bigserial PRIMARY KEY, xid xid8 DEFAULT pg_current_xact_id(), at timestamptz DEFAULT clock_timestamp(),
    conversation_id uuid, status text, owner uuid, instance_id uuid, team_id uuid, place timestamptz, seen text);
CREATE TABLE gifts (
    n bigserial PRIMARY KEY, xid xid8 DEFAULT pg_current_xact_id(), user_id uuid, presence text, load bigint);
CREATE TABLE returns (xid xid8 DEFAULT pg_current_xact_id(), conversation_id uuid, user_id uuid);

-- STABLE: it runs in the snapshot of the statement that changes the row, which is what that statement could see.
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
BEGIN NEW.seen_by_change := pg_current_snapshot()::text; RETURN NEW; END $$;
CREATE TRIGGER see BEFORE UPDATE ON conversations FOR EACH ROW
    WHEN ((OLD.status, OLD.assigned_to, OLD.team_id) IS DISTINCT FROM (NEW.status, NEW.assigned_to, NEW.team_id))
    EXECUTE FUNCTION see();
CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO moves (conversation_id, status, owner, instance_id, team_id, place, seen)
    VALUES (NEW.id, NEW.status, NEW.assigned_to, NEW.instance_id, NEW.team_id,
            coalesce(NEW.queued_at, NEW.opened_at), NEW.seen_by_change);
    RETURN NULL;
END $$;
CREATE TRIGGER opened AFTER INSERT ON conversations FOR EACH ROW EXECUTE FUNCTION move();
CREATE TRIGGER moved AFTER UPDATE ON conversations FOR EACH ROW
    WHEN ((OLD.status, OLD.assigned_to, OLD.team_id) IS DISTINCT FROM (NEW.status, NEW.assigned_to, NEW.team_id))
    EXECUTE FUNCTION move();
CREATE FUNCTION gift() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO gifts (user_id, presence, load)
    SELECT NEW.user_id, NEW.presence, count(*) FROM conversations
    WHERE assigned_to = NEW.user_id AND status = 'assigned';
    RETURN NULL;
END $$;
CREATE TRIGGER given AFTER UPDATE ON desk_operators FOR EACH ROW
    WHEN (OLD.last_given_at IS DISTINCT FROM NEW.last_given_at) EXECUTE FUNCTION gift();
CREATE FUNCTION returned() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO returns (conversation_id, user_id) VALUES (NEW.conversation_id, NEW.user_id);
    RETURN NULL;
END $$;
CREATE TRIGGER returned AFTER INSERT ON given_back FOR EACH ROW EXECUTE FUNCTION returned();
"""
"""An operator's row is locked while he is given something, so `gifts` has presence and load of that very moment: nobody
else makes a conversation his meanwhile."""

MOVES = "SELECT *, xid::text::bigint AS by FROM moves ORDER BY n"
GIFTS = "SELECT *, xid::text::bigint AS by FROM gifts ORDER BY n"
RETURNS = "SELECT *, xid::text::bigint AS by FROM returns"
STEPS = """
SELECT t.id, t.conversation_id, t.action, t.actor_id, t.details, t.at, t.xmin::text::bigint AS by
FROM conversation_timeline t ORDER BY t.id
"""


@dataclass(frozen=True)
class Seen:
    """A PostgreSQL snapshot: which transactions were done when it was taken."""

    xmax: int
    open: frozenset[int]

    @classmethod
    def of(cls, text: str) -> "Seen":
        _, xmax, running = text.split(":")
        return cls(int(xmax), frozenset(map(int, filter(None, running.split(",")))))

    def __contains__(self, xid: int) -> bool:
        return xid < self.xmax and xid not in self.open


@dataclass(frozen=True)
class Record:
    """All that happened: moves of each conversation in their order, gifts, what was given back, and the timelines."""

    moves: dict[UUID, list[dict[str, Any]]]
    gifts: list[dict[str, Any]]
    returns: dict[tuple[UUID, UUID], int]
    steps: dict[UUID, list[dict[str, Any]]]


async def start(kernel: Kernel) -> None:
    """Begin to write down what happens in the database of `kernel`."""
    await kernel.db.execute(TRIGGERS)


async def read(kernel: Kernel) -> Record:
    """Return all that happened since."""
    moves: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in await kernel.db.fetch(MOVES):
        moves[row["conversation_id"]].append(dict(row))
    steps: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in await kernel.db.fetch(STEPS):
        steps[row["conversation_id"]].append({**row, "details": orjson.loads(row["details"])})
    returns = {(row["conversation_id"], row["user_id"]): row["by"] for row in await kernel.db.fetch(RETURNS)}
    return Record(moves, [dict(row) for row in await kernel.db.fetch(GIFTS)], returns, steps)
