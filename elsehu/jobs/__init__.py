"""Background jobs: what they are, how one is asked for, and what became of each. See `asking.py` and `runs.py`."""

from elsehu.jobs.asking import QUEUES, Job, QueueName, by_name, enqueue, enqueue_now

__all__ = ["QUEUES", "Job", "QueueName", "by_name", "enqueue", "enqueue_now"]
