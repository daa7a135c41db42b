"""The one place that imports httpx: a pooled client whose errors say what is known of a request.

The aiohttp transport under httpx costs a fifth of the CPU of the plain one (docs/performance.md).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import httpx
import orjson
from httpx_aiohttp import AiohttpTransport

from elsehu.contracts.http import Answer, AnswerLost, HttpClient, NotSent, StreamedAnswer
from elsehu.form_data import BrokenUpload, Files, FormData
from elsehu.settings import HttpClientSettings

NEVER_LEFT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""What is raised before a request leaves. The transport calls *any* broken connection a ConnectTimeout, also one
that broke while the server was answering, so it is judged by the aiohttp error that it was made from."""

WORDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((aiohttp.ClientConnectorDNSError,), "its name is not known"),
    ((aiohttp.ClientSSLError,), "its certificate cannot be trusted"),
    ((aiohttp.ClientConnectorError,), "it refused the connection"),
    ((httpx.TimeoutException, aiohttp.ServerTimeoutError), "it did not answer in time"),
    ((aiohttp.InvalidURL, httpx.InvalidURL, httpx.UnsupportedProtocol), "its address is not valid"),
)
"""What people read instead of the names of a library's errors: the first that fits."""

FAILURES = (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError)

IDLE_SECONDS = 3.0
"""How long a connection may idle: less than servers wait (Node: 5 s), for a request on one that is just being
closed has an unknown outcome."""


class _Streamed:
    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = _headers(response)
        self._response = response

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.aiter_bytes():
                yield chunk
        except FAILURES as error:
            raise AnswerLost(_words(error)) from error


class PooledHttpClient:
    """`contracts.http.HttpClient` over one httpx client."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        data: Mapping[str, str] | None = None,
        files: Files | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Make one request; see `contracts.http.HttpClient.request`."""
        self._refuse_if_closed()
        all_headers = dict(headers or {})
        body: bytes | AsyncIterator[bytes] | None = content
        form = FormData(data or {}, files) if files is not None else None
        if form is not None:
            body, data = form.chunks(), None
            all_headers.update(form.headers)
        if json is not None:
            body = orjson.dumps(json)
            all_headers["content-type"] = "application/json"
        try:
            response = await self._client.request(
                method,
                url,
                content=body,
                data=dict(data) if data else None,
                params=dict(params) if params else None,
                headers=all_headers,
                timeout=_timeout(timeout),
            )
        except FAILURES as error:
            raise _judged(error, form) from error
        return Answer(response.status_code, _headers(response), response.content)

    def stream(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> AbstractAsyncContextManager[StreamedAnswer]:
        """Make one request and stream its answer; see `contracts.http.HttpClient.stream`."""
        return self._stream(method, url, dict(headers or {}), timeout)

    @asynccontextmanager
    async def _stream(
        self, method: str, url: str, headers: dict[str, str], timeout: float | None
    ) -> AsyncIterator[StreamedAnswer]:
        self._refuse_if_closed()
        request = self._client.build_request(method, url, headers=headers, timeout=_timeout(timeout))
        try:
            response = await self._client.send(request, stream=True)
        except FAILURES as error:
            raise _judged(error) from error
        try:
            yield _Streamed(response)
        finally:
            await response.aclose()

    def _refuse_if_closed(self) -> None:
        """Tell whoever outlives the kernel that nothing was sent."""
        if self._client.is_closed:
            raise NotSent("Elsehu is stopping")


def _judged(error: Exception, form: FormData | None = None) -> NotSent | AnswerLost:
    """Return what is known of a request that failed with `error`; of which no server can have had the whole, too."""
    if form is not None and not form.is_whole:
        return NotSent(_words(error))
    return NotSent(_words(error)) if isinstance(_root(error), NEVER_LEFT) else AnswerLost(_words(error))


def _words(error: Exception) -> str:
    root = _root(error)
    if isinstance(root.__cause__, BrokenUpload):
        return "the file to send could not be read whole"
    return next((words for types, words in WORDS if isinstance(root, types)), "the connection broke")


def _root(error: Exception) -> BaseException:
    return error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error


def _headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _timeout(seconds: float | None) -> Any:
    return httpx.USE_CLIENT_DEFAULT if seconds is None else httpx.Timeout(seconds, connect=min(seconds, 5.0))


@asynccontextmanager
async def open_http_client(settings: HttpClientSettings) -> AsyncIterator[HttpClient]:
    """Open the process's HTTP client: pooled, no redirects, no environment proxies."""
    limits = httpx.Limits(
        max_connections=settings.connections,
        max_keepalive_connections=settings.connections,
        keepalive_expiry=IDLE_SECONDS,
    )
    timeout = httpx.Timeout(settings.timeout, connect=min(settings.timeout, 5.0))
    async with httpx.AsyncClient(
        transport=AiohttpTransport(limits=limits), timeout=timeout, follow_redirects=False, trust_env=False
    ) as client:
        yield PooledHttpClient(client)
