"""Customers who write again soon: back to the operator who had them, where the closing's tabulation says so.

What they write opens a new conversation, as always, so that the figures of the closed one stay. Nobody has worked on it
yet, and it is no new matter: it goes past the queue.
"""

from datetime import timedelta

from elsehu.clock import isoformat
from elsehu.desk.automatic.giving import Gift, give_by_rule
from elsehu.kernel import Kernel

AT_A_TIME = 100
UNLIMITED = 2**31 - 1
LONGEST = "SELECT max(return_minutes) FROM tabulations"
RETURNED = """
SELECT v.id, p.assigned_to, p.closed_at, p.tabulation_name, o.capacity
FROM conversations v
CROSS JOIN LATERAL (
    SELECT assigned_to, closed_at, tabulation_id, tabulation_name FROM conversations
    WHERE contact_id = v.contact_id AND instance_id = v.instance_id AND status = 'closed' AND merged_into IS NULL
    ORDER BY closed_at DESC LIMIT 1
) p
JOIN tabulations t ON t.id = p.tabulation_id
JOIN desk_operators o ON o.user_id = p.assigned_to AND o.presence = 'online'
WHERE v.status = 'queued' AND v.opened_at >= $1 AND v.last_inbound_at IS NOT NULL
    AND v.opened_at <= p.closed_at + t.return_minutes * interval '1 minute'
    AND NOT EXISTS (SELECT 1 FROM conversation_timeline e
                    WHERE e.conversation_id = v.id AND e.action NOT IN ('note', 'tags'))
ORDER BY v.opened_at, v.id LIMIT $2
"""


async def are_wanted(kernel: Kernel) -> bool:
    """Whether any tabulation gives customers back."""
    return await kernel.db.fetch_value(LONGEST) is not None


async def give_returned(kernel: Kernel) -> int:
    """Give customers who are back to their operators, if they are online; return how many.

    Capacity counts where rules give conversations away; else each operator's own, if he has one.
    """
    minutes = await kernel.db.fetch_value(LONGEST)
    if minutes is None:
        return 0
    default = kernel.settings.desk.capacity if kernel.settings.desk.assignment_rules else UNLIMITED
    given = 0
    for row in await kernel.db.fetch(RETURNED, kernel.now() - timedelta(minutes=minutes), AT_A_TIME):
        reason = f"the customer came back; closed with {row['tabulation_name']} at {isoformat(row['closed_at'])}"
        capacity = default if row["capacity"] is None else row["capacity"]
        because = {"rule": "return", "reasons": [reason]}
        gift = Gift(row["id"], row["assigned_to"], capacity, because, past_the_queue=True)
        async with kernel.db.transaction() as uow:
            given += await give_by_rule(uow, gift, kernel.now())
    return given
