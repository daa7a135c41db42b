"""Whose waiting conversations an operator may see, take and be given."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from elsehu.contracts.user import Scope
from elsehu.db import Database

OF_USER = """
SELECT o.instance_ids AS own, t.id AS team_id, t.instance_ids
FROM (VALUES ($1::uuid)) AS u(id)
LEFT JOIN desk_operators o ON o.user_id = u.id
LEFT JOIN team_members m ON m.user_id = u.id
LEFT JOIN teams t ON t.id = m.team_id AND t.is_active
"""


async def scope_of(db: Database, user_id: UUID) -> Scope:
    """Return which waiting conversations are a user's."""
    rows = await db.fetch(OF_USER, user_id)
    teams = [(row["team_id"], row["instance_ids"]) for row in rows if row["team_id"]]
    return scope(rows[0]["own"], teams)


def scope(own: Sequence[UUID] | None, teams: Iterable[tuple[UUID, Sequence[UUID] | None]]) -> Scope:
    """Return the scope of somebody with these numbers of his own, in these teams with theirs.

    Where neither names any number, all are his.
    """
    named = [own] if own is not None else []
    ids = []
    for team_id, instance_ids in teams:
        ids.append(team_id)
        if instance_ids is not None:
            named.append(instance_ids)
    instances = frozenset[UUID]().union(*named) if named else None
    return Scope(instances, frozenset(ids))
