"""The tabulations of a new installation, so that its first conversation can be closed."""

from elsehu.db import UnitOfWork
from elsehu.ids import new_id

NAMES = ("Resolved", "Not resolved", "Customer stopped answering", "Wrong number or spam")

INSERT = """
INSERT INTO tabulations (id, name, "group", position)
SELECT id, name, '', place FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS n(id, name, place)
WHERE NOT EXISTS (SELECT 1 FROM tabulations)
ON CONFLICT DO NOTHING
"""


async def ensure_default_tabulations(uow: UnitOfWork) -> None:
    """Make the default tabulations if there are none at all. To be called where the first ADMIN was made.

    An installation that later deletes them all does not get them back by that.
    """
    await uow.execute(INSERT, [new_id() for _ in NAMES], NAMES)
