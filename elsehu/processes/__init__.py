"""Runs the processes of one installation together: brings back what dies, stops all of it in order."""

from elsehu.processes.command import Command, answers
from elsehu.processes.supervisor import supervise

__all__ = ["Command", "answers", "supervise"]
