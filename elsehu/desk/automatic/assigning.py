"""Giving away what waits, oldest first, until nothing more can be given."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import structlog

from elsehu.contracts.rules import Decision, Snapshot, Waiting
from elsehu.contracts.user import Queue
from elsehu.desk.automatic.giving import Gift, give_by_rule
from elsehu.desk.automatic.rules import RULES
from elsehu.desk.automatic.waiting import next_in, queues, who_gave_back
from elsehu.desk.people.roster import Member, roster
from elsehu.kernel import Kernel

log = structlog.get_logger("elsehu.desk")

MOST_SURPRISES = 20
"""How often in a row a queue may turn out to be otherwise than it was read, before it waits for the next round."""


async def assign_waiting(kernel: Kernel) -> int:
    """Give away what waits by the rules of `[desk] assignment`; return how many conversations were given.

    However many do this at once, each gives only what the database finds to be right (giving.py).
    """
    found = await queues(kernel.db)
    if not found:
        return 0
    members = await roster(kernel.db, kernel.settings.desk.capacity)
    return await _Round(kernel, members).run(found)


def decide(kernel: Kernel, snapshot: Snapshot) -> tuple[str, Decision] | None:
    """Return the first decision of the rules that are configured, with the name of its rule."""
    for name in kernel.settings.desk.assignment_rules:
        decision = RULES[name](snapshot) if name in RULES else _of_plugin(kernel, name, snapshot)
        if decision is not None:
            return name, decision
    return None


def _of_plugin(kernel: Kernel, name: str, snapshot: Snapshot) -> Decision | None:
    try:
        return kernel.plugins.choose_operator(name, snapshot)
    except Exception:  # a plugin's own bug: the next rule decides
        log.exception("assignment_rule_broke", plugin=name, conversation=str(snapshot.waiting.conversation_id))
        return None


class _Round:
    """One pass over all queues. What was read is kept in memory; that it still holds is found out by giving."""

    def __init__(self, kernel: Kernel, members: list[Member]) -> None:
        hours = kernel.settings.desk.sticky_hours
        self._kernel = kernel
        self._members = {member.id: member for member in members}
        self._sticky = None if hours is None else timedelta(hours=hours)
        self._surprises = 0

    async def run(self, found: list[Queue]) -> int:
        """Give away what waits in these queues, the oldest of all first."""
        given = 0
        heads: dict[Queue, Waiting] = {}
        moving = set(found)
        while moving:
            for queue in moving - heads.keys():
                head = await self._next(queue)
                if head is not None:
                    heads[queue] = head
            moving &= heads.keys()
            if moving:
                oldest = heads.pop(min(heads, key=lambda queue: _age(heads[queue])))
                outcome = await self._give(oldest)
                given += outcome is True
                if outcome is None:
                    moving.discard(oldest.queue)
        return given

    async def _next(self, queue: Queue) -> Waiting | None:
        now = self._kernel.now()
        free = [one.id for one in self._members.values() if one.candidate(queue, now).is_free]
        return await next_in(self._kernel.db, queue, free, self._sticky) if free else None

    async def _give(self, waiting: Waiting) -> bool | None:
        """Give one and say whether it was given; None: it waits, and what is behind it too."""
        snapshot = await self._snapshot(waiting)
        if not snapshot.free:
            return False
        decided = decide(self._kernel, snapshot)
        if decided is None:
            return None
        rule, decision = decided
        if decision.user_id not in {one.user_id for one in snapshot.free}:
            log.warning("assignment_not_possible", rule=rule, user=str(decision.user_id))
            return None
        because = {"rule": rule, "reasons": list(decision.reasons), "waited": _waited(snapshot)}
        return await self._carry_out(waiting.conversation_id, decision.user_id, because)

    async def _snapshot(self, waiting: Waiting) -> Snapshot:
        now = self._kernel.now()
        gave_back = await who_gave_back(self._kernel.db, waiting.conversation_id)
        candidates = [one.candidate(waiting.queue, now) for one in self._members.values()]
        return Snapshot(waiting, [replace(one, gave_back=one.user_id in gave_back) for one in candidates], now)

    async def _carry_out(self, conversation_id: UUID, user_id: UUID, because: dict[str, object]) -> bool | None:
        now = self._kernel.now()
        capacity = self._members[user_id].limit
        async with self._kernel.db.transaction() as uow:
            given = await give_by_rule(uow, Gift(conversation_id, user_id, capacity, because), now)
        if given:
            self._surprises = 0
            self._members[user_id] = self._members[user_id].given(now)
            return True
        await self._look_again(user_id)
        self._surprises += 1
        return False if self._surprises < MOST_SURPRISES else None

    async def _look_again(self, user_id: UUID) -> None:
        del self._members[user_id]
        for member in await roster(self._kernel.db, self._kernel.settings.desk.capacity, [user_id]):
            self._members[member.id] = member


def _age(waiting: Waiting) -> tuple[object, ...]:
    return (waiting.since, waiting.conversation_id)


def _waited(snapshot: Snapshot) -> int:
    """Return for how many seconds it waited."""
    return max(0, round((snapshot.now - snapshot.waiting.since).total_seconds()))
