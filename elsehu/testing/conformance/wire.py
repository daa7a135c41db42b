"""The HTTP client that the plugin under test is given: real requests, that can be counted and made to fail."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from elsehu.contracts.http import Answer, AnswerLost, HttpClient, NotSent, StreamedAnswer


@dataclass(frozen=True, slots=True)
class Request:
    """One request that the plugin made; `number` counts from 1 within a disturbance."""

    number: int
    method: str
    url: str
    options: Any

    @property
    def text(self) -> str:
        """All of it, to look for something in."""
        return f"{self.method} {self.url} {self.options}"


@dataclass(slots=True)
class Disturbance:
    """What becomes of requests: `effect` is asked for each."""

    effect: Callable[[Request], "Answer | NotSent | AnswerLost | None"]
    requests: list[Request] = field(default_factory=list)


_ours: ContextVar[Disturbance | None] = ContextVar("disturbance", default=None)


class Wire:
    """An `HttpClient` around the kernel's."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._of_all: Disturbance | None = None

    @contextmanager
    def disturbed(
        self, effect: Callable[[Request], Any] = lambda _: None, *, everywhere: bool = False
    ) -> Iterator[Disturbance]:
        """Watch the requests made by this task, or by the whole process, and disturb them.

        `effect` returns None (it goes on), an Answer (given instead of the provider's), NotSent (it never leaves)
        or AnswerLost (it is done, and the answer lost).
        """
        disturbance = Disturbance(effect)
        before = self._of_all
        token = None if everywhere else _ours.set(disturbance)
        if everywhere:
            self._of_all = disturbance
        try:
            yield disturbance
        finally:
            self._of_all = before
            if token:
                _ours.reset(token)

    def _effect(self, method: str, url: str, options: Any) -> "Answer | NotSent | AnswerLost | None":
        disturbance = _ours.get() or self._of_all
        if disturbance is None:
            return None
        request = Request(len(disturbance.requests) + 1, method, url, options)
        disturbance.requests.append(request)
        return disturbance.effect(request)

    async def request(self, method: str, url: str, **options: Any) -> Answer:
        """Make one request; see `contracts.http.HttpClient.request`."""
        effect = self._effect(method, url, options)
        if isinstance(effect, NotSent):
            raise effect
        if isinstance(effect, Answer):
            return replace(effect, headers=dict(effect.headers))
        answer = await self._http.request(method, url, **options)
        if isinstance(effect, AnswerLost):
            raise effect
        return answer

    def stream(self, method: str, url: str, **options: Any) -> AbstractAsyncContextManager[StreamedAnswer]:
        """Make one request and stream its answer; see `contracts.http.HttpClient.stream`."""
        return self._stream(method, url, options)

    @asynccontextmanager
    async def _stream(self, method: str, url: str, options: Any) -> AsyncIterator[StreamedAnswer]:
        effect = self._effect(method, url, options)
        if isinstance(effect, NotSent | AnswerLost):
            raise effect
        if isinstance(effect, Answer):
            yield _Whole(effect)
            return
        async with self._http.stream(method, url, **options) as answer:
            yield answer


class _Whole:
    """A streamed answer that is all there."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._body = answer.body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._body
