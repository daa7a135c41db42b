"""The HTTP client that plugins are given: one pooled client a process, with errors that say what is known."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol


class NotSent(Exception):
    """The server certainly did not get the whole request (refused, unknown host, a file that broke off)."""


class AnswerLost(Exception):
    """The request left, but no whole answer came (time-out, connection closed): its outcome is unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a multipart form that is streamed: `size` in bytes, `stream()` yields exactly as many."""

    file_name: str
    mime_type: str
    size: int
    stream: Callable[[], AsyncIterator[bytes]]


class StreamedAnswer(Protocol):
    """An HTTP answer whose body is read in pieces."""

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces. Raises AnswerLost where it breaks off."""
        ...


class HttpClient(Protocol):
    """Makes HTTP requests for plugins."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        data: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str] | Upload] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Make one request and read the whole answer; redirects are not followed.

        `timeout` is in seconds (default: the kernel's `[http_client] timeout`). `files` maps field names
        to (file name, bytes, media type) or to an `Upload`. Raises NotSent or AnswerLost; any status is an answer.
        """
        ...

    def stream(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> AbstractAsyncContextManager[StreamedAnswer]:
        """Make one request and give its answer while the body still flows. Raises NotSent or AnswerLost."""
        ...
