"""After a backup was restored: whom a campaign had still to write to may have been written to since."""

from elsehu.plugin import UnitOfWork
from elsehu_campaigns.states import State

STOP = f"""
UPDATE campaigns SET state = '{State.PAUSED}', updated_at = now(), state_reason = 'Restored from a backup: recipients '
    'that are planned here may have got their message after it was made. Compare before you resume; cancel if in doubt.'
WHERE state IN ('{State.RUNNING}', '{State.SCHEDULED}')
"""  # noqa: S608 - our own words


async def settle(uow: UnitOfWork) -> None:
    """Pause what ran or was scheduled: whether to go on is for people to say."""
    await uow.execute(STOP)
