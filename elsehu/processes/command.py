"""What to run, and how to see that it does its work."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Command:
    """A process to keep running.

    Attributes:
        name: what to call it in messages.
        argv: the command line; its first word is looked up in PATH.
        ready: says whether it does its work; must answer within a second. None: it does as soon as it runs.
        stop_seconds: how long it may take to stop after SIGTERM before it is killed with its process group.
        environment: variables added to ours.
    """

    name: str
    argv: Sequence[str]
    ready: Callable[[], bool] | None = None
    stop_seconds: float = 15.0
    environment: Mapping[str, str] = field(default_factory=dict)


def answers(url: str) -> Callable[[], bool]:
    """Return a `ready` check: whether a GET of the plain HTTP `url` is answered with 2xx."""
    parts = urlsplit(url)

    def check() -> bool:
        connection = HTTPConnection(parts.netloc, timeout=1)
        try:
            connection.request("GET", parts.path or "/")
            return 200 <= connection.getresponse().status < 300
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    return check
