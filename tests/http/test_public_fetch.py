"""A URL that somebody else chose leads to the public internet or nowhere, and takes no more than it is given."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from elsehu.public_addresses import Network, is_reachable, strict_address
from elsehu.public_fetch import MOST_REDIRECTS, UrlFailed, UrlRefused, public_file

LOOPBACK = [ip_network("127.0.0.1/32")]


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "99.255.255.255"])
def test_public_addresses(text: str) -> None:
    assert is_reachable(ip_address(text))


NOT_PUBLIC = """
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.0.1 169.254.169.254 172.16.0.1
    172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1
    239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::ffff:127.0.0.1 ::ffff:10.1.2.3 ::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::127.0.0.1 64:ff9b:1::1 100::1
    2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2002:7f00:1:: 2002:808:808:: 3fff::1 fc00::1 fd12::1 fe80::1
    fe80::1%1 fec0::1 ff02::1 ff0e::1 4000::1
"""


@pytest.mark.parametrize("text", NOT_PUBLIC.split())
def test_addresses_that_are_not_public(text: str) -> None:
    assert not is_reachable(ip_address(text))


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3"])
def test_a_network_can_be_allowed(text: str) -> None:
    allowed: list[Network] = [ip_network("10.1.0.0/16")]
    assert is_reachable(ip_address(text), allowed)
    assert not is_reachable(ip_address("10.2.0.1"), allowed)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "1.2.3.4.", "1.2.3.256"])
def test_an_address_has_one_spelling(host: str) -> None:
    with pytest.raises(ValueError, match="usual spelling"):
        strict_address(host)


@dataclass
class Site:
    """A server on 127.0.0.1 that answers by path, and remembers the requests' heads."""

    url: str = ""
    heads: list[str] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)
    slowly: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        answer = self.answers.get(head.split()[1], b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        try:
            for piece in [answer[at : at + 1] for at in range(len(answer))] if self.slowly else [answer]:
                writer.write(piece)
                await writer.drain()
                if self.slowly:
                    await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        writer.close()

    def says(self, path: str, body: bytes, *headers: str, status: str = "200 OK") -> str:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        self.answers[path] = "\r\n".join(lines).encode() + body
        return self.url + path

    def leads(self, path: str, target: str, status: int = 302) -> str:
        return self.says(path, b"", f"Location: {target}", "Set-Cookie: a=b", status=f"{status} Moved")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    one = Site()
    listening = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    async with listening:
        one.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield one


async def fetched(url: str, allowed: Sequence[Network] = LOOPBACK, seconds: float = 5) -> bytes:
    async with public_file(url, seconds, allowed) as file:
        return b"".join([chunk async for chunk in file.chunks])


async def test_a_file_is_fetched_with_nothing_of_ours(site: Site) -> None:
    url = site.says("/a.png", b"picture", "Content-Type: image/png", "Content-Disposition: attachment")
    async with public_file(url, 5, LOOPBACK) as file:
        assert (file.size, file.headers["content-type"], file.url) == (7, "image/png", url)
        assert b"".join([chunk async for chunk in file.chunks]) == b"picture"
    names = {line.partition(":")[0].lower() for line in site.heads[0].splitlines()[1:] if line}
    assert names == {"host", "user-agent", "accept", "accept-encoding", "connection"}


@pytest.mark.parametrize(
    "url",
    [
        "ftp://files.example/a",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "http://user:word@files.example/a",
        "http://user@files.example/a",
        "http://files.example:22/a",
        "http://files.example:443/a",
        "https://files.example:80/a",
        "http://127.0.0.1/a",
        "http://127.0.0.1:8000/a",
        "http://[::1]/a",
        "http://[::ffff:127.0.0.1]/a",
        "http://[::ffff:7f00:1]/a",
        "http://[fe80::1%251]/a",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/a",
        "http://2130706433/a",
        "http://0x7f.1/a",
        "http://0/a",
        "http://127.1:8000/a",
        "http://0177.0.0.1/a",
        "http://１２７.0.0.1/a",
        "http://127。0。0。1/a",
        "http://①②⑦.0.0.1/a",
        "http:///a",
        "http://127.0.0.1\\@files.example/a",
    ],
)
async def test_where_we_do_not_go(url: str) -> None:
    with pytest.raises(UrlRefused):
        await fetched(url, allowed=())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(site: Site, status: int) -> None:
    site.says("/a", b"here")
    assert await fetched(site.leads("/start", "/a", status)) == b"here"
    assert "cookie" not in site.heads[-1].lower()
    assert "referer" not in site.heads[-1].lower()


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:8000/a",
        "//127.0.0.2:8000/a",
        "http://10.0.0.1/",
        "http://localhost.localdomain:1/",
        "file:///etc/passwd",
        "http://a:b@files.example/",
        "http://2130706434/",
    ],
)
async def test_a_redirect_is_checked_like_the_first_address(site: Site, target: str) -> None:
    with pytest.raises((UrlRefused, UrlFailed)) as told:
        await fetched(site.leads("/start", target))
    assert isinstance(told.value, UrlRefused) or "name" in str(told.value)
    assert len(site.heads) == 1


async def test_redirects_come_to_an_end(site: Site) -> None:
    with pytest.raises(UrlFailed, match="redirects more than 5"):
        await fetched(site.leads("/round", "/round"))
    assert len(site.heads) == MOST_REDIRECTS + 1


@pytest.mark.parametrize("target", ["http://[", "http://exa mple:x/"])
async def test_a_redirect_to_nonsense(site: Site, target: str) -> None:
    with pytest.raises((UrlFailed, UrlRefused)):
        await fetched(site.leads("/start", target))


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names lead to the addresses of `answers`, the next one at each look; returns what was looked up."""
    asked: list[str] = []

    async def look_up(self: Any, host: str, port: int, **_: Any) -> list[Any]:
        if host.replace(".", "").isdigit():
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        addresses = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize("addresses", [["127.0.0.2"], ["8.8.8.8", "127.0.0.2"], ["127.0.0.1", "10.0.0.1"], []])
async def test_all_that_a_name_leads_to_must_be_public(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    asked = names(monkeypatch, addresses)
    with pytest.raises(UrlRefused):
        await fetched("http://files.example:8000/a")
    assert asked == ["files.example"]


async def test_a_name_that_changes_its_mind_is_asked_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to the address that was checked, whatever the name would lead to a moment later."""
    site.says("/a", b"checked")
    asked = names(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    port = site.url.rpartition(":")[2]
    assert await fetched(f"http://files.example:{port}/a") == b"checked"
    assert asked == ["files.example"]
    assert f"host: files.example:{port}" in site.heads[0].lower()


async def test_what_is_compressed_is_not_unpacked(site: Site) -> None:
    bomb = site.says("/bomb", gzip.compress(bytes(1_000_000)), "Content-Encoding: gzip")
    with pytest.raises(UrlFailed, match="compressed"):
        await fetched(bomb)


async def test_time_is_capped_however_steadily_bytes_drip(site: Site) -> None:
    site.slowly = True
    url = site.says("/slow", bytes(10_000))
    with pytest.raises(UrlFailed, match=r"longer than 0\.5 s"):
        await fetched(url, seconds=0.5)


async def test_what_breaks_off(site: Site) -> None:
    site.answers["/half"] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    with pytest.raises(UrlFailed, match="broke"):
        await fetched(site.url + "/half")


@pytest.mark.parametrize("status", ["204 No Content", "206 Partial Content", "404 Not Found", "500 Oops"])
async def test_any_other_answer_is_told(site: Site, status: str) -> None:
    with pytest.raises(UrlFailed, match=f"answered {status[:3]}"):
        await fetched(site.says("/a", b"", status=status))


@pytest.mark.parametrize("answer", [b"", b"no http\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000])
async def test_what_is_no_answer(site: Site, answer: bytes) -> None:
    site.answers["/a"] = answer
    with pytest.raises(UrlFailed):
        await fetched(site.url + "/a")
