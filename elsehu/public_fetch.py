"""Fetching what a URL shows that somebody else chose, without becoming their way into our networks.

Only http and https; only addresses of the public internet, and the connection goes to the very address that was
checked; redirects are followed by hand, each checked like the first; nothing of ours goes along: no cookies, no
credentials, no proxy of the environment. What comes back is never unpacked, so nothing small can become large.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from elsehu.public_addresses import Network, is_reachable, strict_address

MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
FIRST_FREE_PORT = 1024
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 15.0
"""How long the other side may say nothing at all."""

PIECE = 64 * 1024
HEADERS = {"User-Agent": "Elsehu", "Accept": "*/*", "Accept-Encoding": "identity"}


class UrlRefused(Exception):
    """The URL leads where we do not go. Its text says why, and never to which address a name led."""


class UrlFailed(Exception):
    """The URL may be asked, but nothing whole came of it. Its text says why."""


@dataclass(frozen=True, slots=True)
class PublicFile:
    """What a URL shows. `size` is announced, None if unknown; `headers` have lower-case names."""

    url: str
    size: int | None
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


@asynccontextmanager
async def public_file(url: str, seconds: float, allowed: Sequence[Network] = ()) -> AsyncIterator[PublicFile]:
    """Ask for `url`, and give the answer while it arrives: everything, redirects included, within `seconds`.

    `allowed` are networks that may be reached although they are not public. Raises UrlRefused or UrlFailed, here
    or while the chunks are read.
    """
    connector = aiohttp.TCPConnector(resolver=_Guard(allowed), use_dns_cache=False, force_close=True)
    limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
    session = aiohttp.ClientSession(
        connector=connector,
        timeout=limits,
        headers=HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )
    try:
        async with asyncio.timeout(seconds) as deadline, session:
            response = await _followed(session, _parsed(url), allowed)
            async with response:
                yield _file_of(response)
    except TimeoutError:
        if not deadline.expired():
            raise
        raise UrlFailed(f"it took longer than {seconds:g} s") from None


async def _followed(session: aiohttp.ClientSession, url: URL, allowed: Sequence[Network]) -> aiohttp.ClientResponse:
    for _ in range(MOST_REDIRECTS + 1):
        _check(url, allowed)
        response = await _asked(session, url)
        target = response.headers.get("location")
        if response.status not in REDIRECTS or target is None:
            return response
        response.close()
        url = _joined(url, target)
    raise UrlFailed(f"it redirects more than {MOST_REDIRECTS} times")


def _parsed(url: str) -> URL:
    try:
        return URL(url)
    except ValueError:
        raise UrlRefused("it is no valid address") from None


def _joined(url: URL, target: str) -> URL:
    try:
        return url.join(URL(target))
    except ValueError:
        raise UrlFailed("it redirects to what is no address") from None


def _check(url: URL, allowed: Sequence[Network]) -> None:
    """Raise UrlRefused for what can be seen to be wrong without asking anybody."""
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise UrlRefused("only http and https addresses can be fetched")
    if url.raw_user or url.raw_password:
        raise UrlRefused("it holds a user name or password")
    if not url.is_default_port() and (url.port or 0) < FIRST_FREE_PORT:
        raise UrlRefused(f"its port must be the usual one of {url.scheme}, or {FIRST_FREE_PORT} or above")
    try:
        address = strict_address(url.raw_host)
    except ValueError as error:
        raise UrlRefused(f"its host {error}") from None
    if address is not None and not is_reachable(address, allowed):
        raise UrlRefused("its address is not on the public internet")


async def _asked(session: aiohttp.ClientSession, url: URL) -> aiohttp.ClientResponse:
    try:
        return await session.get(url, allow_redirects=False)
    except aiohttp.ClientError as error:
        raise _told(error) from error
    except TimeoutError as error:
        raise UrlFailed("it did not answer in time") from error
    except ValueError as error:
        raise UrlRefused("it is no valid address") from error


def _told(error: aiohttp.ClientError) -> UrlRefused | UrlFailed:
    """Return what people are told of an error; a refusal of the guard comes wrapped in the connector's own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _NotPublic):
            return UrlRefused("its address is not on the public internet")
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return UrlFailed("its name is not known")
    if isinstance(error, aiohttp.ClientSSLError):
        return UrlFailed("its certificate cannot be trusted")
    if isinstance(error, aiohttp.ClientConnectorError):
        return UrlFailed("it refused the connection")
    return UrlFailed("the connection broke")


def _file_of(response: aiohttp.ClientResponse) -> PublicFile:
    if response.status != 200:
        raise UrlFailed(f"it answered {response.status}")
    headers = {name.lower(): value for name, value in response.headers.items()}
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise UrlFailed("it answered compressed although we asked it not to")
    return PublicFile(str(response.url), response.content_length, headers, _chunks(response))


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in response.content.iter_chunked(PIECE):
            yield piece
    except aiohttp.ClientError as error:
        raise UrlFailed("the connection broke before the file was whole") from error
    except TimeoutError as error:
        raise UrlFailed("it stopped sending") from error


class _NotPublic(OSError):
    """A name led to an address that is not public."""


class _Guard(AbstractResolver):
    """Looks names up; the connection is made to what it returns, and to nothing that was looked up again."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of `host`. Raises _NotPublic unless all of them may be reached."""
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG
        )
        addresses = [(one[0], str(one[4][0])) for one in found]
        if not addresses or not all(is_reachable(ip_address(text), self._allowed) for _, text in addresses):
            raise _NotPublic(None, "the name leads to an address that is not public")
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=text, port=port, family=kind, proto=0, flags=numeric)
            for kind, text in addresses
        ]

    async def close(self) -> None:
        """There is nothing to close."""
