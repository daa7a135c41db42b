"""The one place that imports httpx: a pooled client whose errors say what is known of a request.

The aiohttp transport under httpx costs a fifth of the CPU of the plain one, and is asked without httpx's own client,
which costs as much again: redirects, cookies and authentication are not wanted here (docs/performance.md).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import lru_cache
from typing import Any

import aiohttp
import orjson

from elsehu.contracts.http import Answer, AnswerLost, HttpClient, NotSent, StreamedAnswer
from elsehu.form_data import BrokenUpload, Files, FormData
from elsehu.lean_imports import without
from elsehu.requests import HEADER, current_request_id
from elsehu.settings import HttpClientSettings

with without("rich"):  # for its command line
    import httpx
    from httpx_aiohttp import AiohttpTransport

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

DEFAULT_HEADERS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "elsehu"}
CONNECT_SECONDS = 5.0
IDLE_SECONDS = 3.0
"""How long a connection may idle: less than servers wait (Node: 5 s), for a request on one that is just being
closed has an unknown outcome."""


def _with_defaults(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return `headers` and ours: among these the id of the request that this call is made for."""
    request_id = current_request_id()
    return {**DEFAULT_HEADERS, **({HEADER: request_id} if request_id else {}), **(headers or {})}


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
    """`contracts.http.HttpClient` over one transport of httpx; `timeout` in seconds is for who names none."""

    def __init__(self, transport: httpx.AsyncBaseTransport, timeout: float) -> None:
        self._transport = transport
        self._timeout = timeout
        self.is_closed = False

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
        all_headers = _with_defaults(headers)
        body: bytes | AsyncIterator[bytes] | None = content
        form = FormData(data or {}, files) if files is not None else None
        if form is not None:
            body, data = form.chunks(), None
            all_headers.update(form.headers)
        if json is not None:
            body = orjson.dumps(json)
            all_headers["content-type"] = "application/json"
        given = {"content": body, "data": dict(data) if data else None, "params": dict(params) if params else None}
        try:
            response = await self._send(method, url, all_headers, timeout, **given)
            return Answer(response.status_code, _headers(response), await _whole(response))
        except FAILURES as error:
            raise _judged(error, form) from error

    def stream(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> AbstractAsyncContextManager[StreamedAnswer]:
        """Make one request and stream its answer; see `contracts.http.HttpClient.stream`."""
        return self._stream(method, url, _with_defaults(headers), timeout)

    @asynccontextmanager
    async def _stream(
        self, method: str, url: str, headers: dict[str, str], timeout: float | None
    ) -> AsyncIterator[StreamedAnswer]:
        try:
            response = await self._send(method, url, headers, timeout)
        except FAILURES as error:
            raise _judged(error) from error
        try:
            yield _Streamed(response)
        finally:
            await response.aclose()

    async def _send(
        self, method: str, url: str, headers: dict[str, str], timeout: float | None, **body: Any
    ) -> httpx.Response:
        """Send a request and return its answer, still to be read. Tells whoever outlives the kernel that it was not."""
        if self.is_closed:
            raise NotSent("Elsehu is stopping")
        seconds = self._timeout if timeout is None else timeout
        times = {"connect": min(seconds, CONNECT_SECONDS), "read": seconds, "write": seconds, "pool": seconds}
        request = httpx.Request(method, _parsed(url), headers=headers, extensions={"timeout": times}, **body)
        return await self._transport.handle_async_request(request)


_parsed = lru_cache(maxsize=1024)(httpx.URL)
"""Numbers are sent to at the same few addresses all the time."""


async def _whole(response: httpx.Response) -> bytes:
    try:
        return await response.aread()
    except BaseException:
        await response.aclose()
        raise


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


@asynccontextmanager
async def open_http_client(settings: HttpClientSettings) -> AsyncIterator[HttpClient]:
    """Open the process's HTTP client: pooled, no redirects, no cookies, no environment proxies."""
    security = httpx.create_ssl_context()
    connector = aiohttp.TCPConnector(limit=settings.connections, keepalive_timeout=IDLE_SECONDS, ssl=security)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        client = PooledHttpClient(AiohttpTransport(verify=security, client=session), settings.timeout)
        try:
            yield client
        finally:
            client.is_closed = True
