"""Files that a webhook only referred to: where one is, then the file itself (Meta Cloud API reference, section 8).

The address comes from outside: the token is shown to Meta's hosts alone, also after a redirect.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote, urljoin, urlsplit

from elsehu.plugin import (
    AnswerLost,
    Instance,
    MediaContent,
    NotSent,
    PluginContext,
    Rejected,
    Retryable,
    StreamedAnswer,
)

from .client import Graph, GraphFailure, graph_of, headers_of, number_id
from .errors import NOT_FOUND, Action
from .failures import error_of, rule_for, unreachable
from .flavours import sha256_of, text, whole

LARGEST = 104 * 1024 * 1024
"""Meta hands out files of up to 100 MB."""
URL_EXPIRED = (401, 404)
REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 3
TRIES = 2


async def fetch(context: PluginContext, instance: Instance, media: MediaContent) -> AsyncIterator[bytes]:
    """Yield a file's bytes, whole and as Meta says they are.

    Raises Retryable while it may still come, Rejected when it is gone, InstanceSick where Meta refuses the token.
    """
    media_id = text(media.reference.get("id"))
    if media_id is None:
        raise Rejected("media_unreferenced", "Nothing is known that would fetch this file.")
    for _ in range(TRIES):
        found = await _locate(graph_of(context, instance), media_id, number_id(instance))
        async with _opened(context, instance, found.url) as answer:
            if answer.status in URL_EXPIRED:
                continue
            async for chunk in _checked(answer, found):
                yield chunk
            return
    raise _not_yet("its address keeps expiring")


@dataclass(frozen=True, slots=True)
class _Location:
    """Where a file is at the moment, and what Meta says of it."""

    url: str
    size: int | None
    sha256: str | None


async def _locate(graph: Graph, media_id: str, number: str) -> _Location:
    try:
        answer = await graph.try_to_ask("GET", quote(media_id, safe=""), params={"phone_number_id": number})
    except GraphFailure as error:
        rule = rule_for(error.failure)
        if rule.code == NOT_FOUND.code or rule.action is Action.FAIL or error.failure.status == 404:
            raise Rejected(
                "media_gone", "Meta does not have this file any more: it keeps them for 7 days. Ask for it again."
            ) from None
        raise error_of(error.failure) from None
    url = text(answer.get("url"))
    if url is None:
        raise _not_yet("Meta did not say where it is")
    return _Location(url, whole(answer.get("file_size")), sha256_of(answer.get("sha256")))


@asynccontextmanager
async def _opened(context: PluginContext, instance: Instance, url: str) -> AsyncIterator[StreamedAnswer]:
    """Give the answer of a file host, behind as many redirects as stay on hosts that may see the token."""
    headers = headers_of(str(instance.credentials["access_token"]))
    for _ in range(MOST_REDIRECTS + 1):
        _check_host(context, instance, url)
        try:
            async with context.http.stream("GET", url, headers=headers, timeout=context.config.media_timeout) as answer:
                if answer.status not in REDIRECTS:
                    yield answer
                    return
                url = urljoin(url, answer.headers.get("location", ""))
        except (NotSent, AnswerLost) as error:
            raise unreachable(error) from None
    raise _not_yet("its address leads in circles")


def _check_host(context: PluginContext, instance: Instance, url: str) -> None:
    if is_allowed(url, instance.settings["media_hosts"]):
        return
    host = urlsplit(url).hostname
    context.log("meta_media_host_refused", instance=str(instance.id), host=host)
    detail = f"Meta says that the file is at {host}, which settings.mediaHosts does not name. Add it if it is Meta's."
    raise Rejected("media_host_refused", detail)


async def _checked(answer: StreamedAnswer, found: _Location) -> AsyncIterator[bytes]:
    """Yield the bytes; raises at their end where they are not what was announced."""
    if answer.status != 200:
        raise _not_yet(f"the file host answers {answer.status}")
    size, digest = 0, hashlib.sha256()
    try:
        async for chunk in answer.chunks():
            size += len(chunk)
            if size > LARGEST:
                raise Rejected("media_too_large", "The file is larger than WhatsApp allows. Ask for it another way.")
            digest.update(chunk)
            yield chunk
    except AnswerLost as error:
        raise _not_yet(str(error)) from None
    if found.size not in (None, size) or found.sha256 not in (None, digest.hexdigest()):
        raise _not_yet("it arrived damaged")


HOST = re.compile(r"[a-z0-9.:-]+")
"""What a host's name can be. Anything else (a backslash, say) is read differently by different programs."""


def is_allowed(url: str, hosts: Sequence[str]) -> bool:
    """Whether the token may be shown at `url`: https on one of `hosts`, or a host that is listed with its scheme."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if parts.username is not None or not HOST.fullmatch(host):
        return False
    if f"{parts.scheme}://{parts.netloc}".lower() in hosts:
        return True
    return parts.scheme == "https" and port in (None, 443) and any(fnmatchcase(host, one) for one in hosts)


def _not_yet(why: str) -> Retryable:
    return Retryable("media_unavailable", f"The file could not be fetched: {why}. It is tried again.")
