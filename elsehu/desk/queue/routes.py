"""The HTTP operation on the queue."""

from collections.abc import Sequence
from typing import Any

from elsehu.desk.queue.listing import queue_page
from elsehu.desk.queue.schemas import QueuePage, QueueQuery
from elsehu.http.operations import Call, Operation

TAG = "queue"


async def show_queue(call: Call[None, QueueQuery]) -> dict[str, Any]:
    """Oldest first, with each one's position and waiting time; for an operator of the queues that he serves."""
    return await queue_page(call.kernel, call.caller, call.query)


OPERATIONS: Sequence[Operation] = (
    Operation("GET", "/api/queue", show_queue, "Show who waits, oldest first", TAG, query=QueueQuery, answer=QueuePage),
)
