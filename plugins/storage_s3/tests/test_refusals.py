"""What S3 refuses, as what it says to people. The bucket is a server whose answers the tests decide."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from elsehu_storage_s3.testing import SECRET_ACCESS_KEY, S3Server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from elsehu.plugin import ConfigError, Unavailable
from elsehu.testing import Plugins
from elsehu.testing.serving import listen_on_loopback, running_server
from elsehu.testing.storage_suite import PIECE, TYPE, new_key, pieces_of, read_all

from .loading import load

Answers = Callable[[Request], Awaitable[Response]]


class Standin:
    """Answers as `answer` says."""

    def __init__(self) -> None:
        self.url = ""
        self.answer: Answers = self.nothing

    async def nothing(self, _: Request) -> Response:
        return Response(status_code=404)

    async def __call__(self, request: Request) -> Response:
        return await self.answer(request)

    def refuse(self, status: int, code: str) -> None:
        body = (
            f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>No: {SECRET_ACCESS_KEY}</Message>'
            f"<StringToSign>{SECRET_ACCESS_KEY}</StringToSign></Error>"
        )

        async def answer(_: Request) -> Response:
            return Response(body if code else "", status)

        self.answer = answer

    def load(self, **config: Any) -> Plugins:
        return load(S3Server(self.url).config(**{"retries": 0, **config}))


@pytest.fixture
async def standin() -> AsyncIterator[Standin]:
    one = Standin()
    methods = ["GET", "PUT", "POST", "DELETE", "HEAD"]

    async def answer(request: Request) -> Response:
        return await one(request)

    async with running_server(Starlette(routes=[Route("/{path:path}", answer, methods=methods)])) as server:
        one.url = server.url
        yield one


async def put(storage: Plugins) -> None:
    await storage.storage_put(new_key(), pieces_of([b"x"]), TYPE)


async def put_parts(storage: Plugins) -> None:
    await storage.storage_put(new_key(), pieces_of([PIECE] * 30), TYPE)


async def read(storage: Plugins) -> None:
    await anext(storage.storage_open(new_key()))


async def delete(storage: Plugins) -> None:
    await storage.storage_delete(new_key())


ACTIONS = [put, put_parts, read, delete]

REFUSALS = [
    (403, "InvalidAccessKeyId", "storage_keys_refused", "access_key_id"),
    (403, "SignatureDoesNotMatch", "storage_keys_refused", "secret_access_key"),
    (400, "ExpiredToken", "storage_keys_refused", "keys"),
    (401, "", "storage_keys_refused", "keys"),
    (403, "AccessDenied", "storage_denied", "s3:PutObject"),
    (403, "", "storage_denied", "s3:GetObject"),
    (404, "NoSuchBucket", "storage_bucket_missing", "[plugins.storage_s3] bucket"),
    (301, "", "storage_wrong_region", "[plugins.storage_s3] region"),
    (400, "AuthorizationHeaderMalformed", "storage_wrong_region", "region"),
    (403, "RequestTimeTooSkewed", "storage_clock", "time of this machine"),
    (503, "SlowDown", "storage_busy", "Try again"),
    (507, "XMinioStorageFull", "storage_full", "free space"),
    (500, "InternalError", "storage_failed", "log"),
    (418, "", "storage_failed", "log"),
]


@pytest.mark.parametrize(("status", "s3_code", "code", "says"), REFUSALS)
async def test_a_refusal_says_what_to_do(standin: Standin, status: int, s3_code: str, code: str, says: str) -> None:
    standin.refuse(status, s3_code)
    for action in ACTIONS:
        with pytest.raises(Unavailable) as refused, capture_logs() as logs:
            await action(standin.load())
        assert refused.value.code == code, action
        assert says in refused.value.detail
        assert refused.value.retry_after
        (line,) = [line for line in logs if line["event"] == "s3_error"]
        assert (line["s3_code"], line["error"]) == (s3_code, code)
        for told in (refused.value, refused.value.__cause__, line):
            assert SECRET_ACCESS_KEY not in repr(told)


async def test_a_missing_object(standin: Standin) -> None:
    standin.refuse(404, "NoSuchKey")
    with pytest.raises(FileNotFoundError):
        await read(standin.load())
    await delete(standin.load())
    with pytest.raises(Unavailable):
        await put(standin.load())


@pytest.mark.parametrize("action", ACTIONS)
async def test_nobody_answers(action: Callable[[Plugins], Awaitable[None]]) -> None:
    with listen_on_loopback() as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    with pytest.raises(Unavailable) as refused:
        await action(load(S3Server(url).config(retries=1)))
    assert refused.value.code == "storage_unreachable"


@pytest.mark.parametrize("action", ACTIONS)
async def test_an_answer_that_never_comes(standin: Standin, action: Callable[[Plugins], Awaitable[None]]) -> None:
    let_go = asyncio.Event()

    async def hang(_: Request) -> Response:
        await let_go.wait()
        return Response()

    standin.answer = hang
    with pytest.raises(Unavailable) as refused:
        async with asyncio.timeout(5):
            await action(standin.load(timeout=0.2))
    let_go.set()
    assert refused.value.code == "storage_unreachable"


@pytest.mark.parametrize("refused_part", ["1", "3", "the completion"])
async def test_parts_are_forgotten_when_one_is_refused(standin: Standin, refused_part: str) -> None:
    aborted = asyncio.Event()

    async def answer(request: Request) -> Response:
        await request.body()
        query = request.query_params
        if request.method == "POST" and "uploads" in query:
            return Response("<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
        if request.method == "DELETE" and query.get("uploadId") == "u1":
            aborted.set()
            return Response(status_code=204)
        refused = query.get("partNumber", "the completion") == refused_part
        return Response(status_code=507 if refused else 200, headers={"etag": '"1"'})

    standin.answer = answer
    with pytest.raises(Unavailable) as refused:
        await standin.load().storage_put(new_key(), pieces_of([PIECE] * 80), TYPE)
    assert refused.value.code == "storage_full"
    async with asyncio.timeout(5):
        await aborted.wait()


async def test_no_keys_at_all(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with listen_on_loopback() as nobody:
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{nobody.getsockname()[1]}")
    storage = load(s3.config(access_key_id="", secret_access_key="", retries=0))
    with pytest.raises(Unavailable) as refused:
        await read(storage)
    assert refused.value.code == "storage_keys_refused"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "half a pair")
    with pytest.raises(Unavailable) as refused:
        await read(load(s3.config(access_key_id="", secret_access_key="")))
    assert refused.value.code == "storage_keys_refused"


async def test_a_hiccup_is_tried_again(standin: Standin) -> None:
    asked = 0

    async def answer(_: Request) -> Response:
        nonlocal asked
        asked += 1
        return Response(
            b"x", 503 if asked == 1 else 200, {"etag": '"1"', "last-modified": "Mon, 23 Nov 2026 19:00:00 GMT"}
        )

    standin.answer = answer
    assert await read_all(standin.load(retries=1).storage_open(new_key())) == b"x"
    assert asked == 2


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, r"plugins\.storage_s3\.bucket"),
        ({"bucket": "No Bucket"}, r"plugins\.storage_s3\.bucket"),
        ({"bucket": "b-1", "buckets": 1}, r"plugins\.storage_s3\.buckets"),
        ({"bucket": "b-1", "endpoint": "http://minio:9000"}, "allow_http"),
        ({"bucket": "b-1", "public_endpoint": "http://minio:9000"}, "allow_http"),
        ({"bucket": "b-1", "endpoint": "minio:9000"}, r"plugins\.storage_s3\.endpoint"),
        ({"bucket": "b-1", "endpoint": "https://minio/b-1"}, r"plugins\.storage_s3\.endpoint"),
        ({"bucket": "b-1", "access_key_id": "AKID"}, "both"),
        ({"bucket": "b-1", "secret_access_key": "Zq9secret"}, "both"),
        ({"bucket": "b-1", "kms_key_id": "key"}, "aws:kms"),
        ({"bucket": "b-1", "server_side_encryption": "none"}, r"plugins\.storage_s3\.server_side_encryption"),
        ({"bucket": "b-1", "prefix": "/media"}, r"plugins\.storage_s3\.prefix"),
        ({"bucket": "b-1", "prefix": "a/../b"}, r"plugins\.storage_s3\.prefix"),
        ({"bucket": "b-1", "part_bytes": 1024}, r"plugins\.storage_s3\.part_bytes"),
    ],
)
def test_a_wrong_table_is_refused(config: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        load(config)
    assert "Zq9secret" not in str(refused.value)
