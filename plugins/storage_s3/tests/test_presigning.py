"""botocore, AWS's own client, is the oracle of signatures; moto checks none."""

from datetime import UTC, datetime
from functools import cache
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import botocore.session
import httpx
import pytest
from botocore.config import Config
from elsehu_storage_s3.presigning import signed_anew
from elsehu_storage_s3.testing import ACCESS_KEY_ID, BUCKET, SECRET_ACCESS_KEY, S3Server
from hypothesis import given, settings
from hypothesis import strategies as st

from elsehu.testing.storage_suite import TYPE, new_key, pieces_of

from .loading import load

NOW = datetime(2026, 11, 23, 19, 0, tzinfo=UTC)


@cache
def botocore_client(token: str | None) -> Any:
    """Return AWS's own client, which takes long to make."""
    return botocore.session.Session().create_client(
        "s3",
        region_name="sa-east-1",
        endpoint_url="https://s3.example.com:9000",
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        aws_session_token=token,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


def by_botocore(key: str, disposition: str, mime_type: str, token: str | None) -> tuple[str, str]:
    """Return botocore's plain presigned URL, and the one with the two headers."""
    client = botocore_client(token)
    where = {"Bucket": "media", "Key": key}
    headers = {"ResponseContentDisposition": disposition, "ResponseContentType": mime_type}
    with patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        plain = client.generate_presigned_url("get_object", where, ExpiresIn=300)
        return plain, client.generate_presigned_url("get_object", {**where, **headers}, ExpiresIn=300)


@settings(max_examples=settings.default.max_examples // 5)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1), st.sampled_from([None, "to/ken+=="]))
def test_botocore_signs_the_same(disposition: str, token: str | None) -> None:
    plain, full = by_botocore(new_key(), disposition, "text/plain; charset=utf-8", token)
    more = {"response-content-disposition": disposition, "response-content-type": "text/plain; charset=utf-8"}
    ours = signed_anew(plain, SECRET_ACCESS_KEY, more)
    assert parse_qs(urlsplit(ours).query) == parse_qs(urlsplit(full).query)
    assert urlsplit(ours)[:3] == urlsplit(full)[:3]


async def test_it_carries_the_headers_and_ends_when_it_should(s3: S3Server) -> None:
    disposition = 'inline; filename="f_rias \\"1\\".png"; filename*=UTF-8\'\'f%C3%A9rias%0D%0A%221%22.png'
    storage = load(s3.config(presigned_redirects=True))
    key = (await storage.storage_put(new_key(), pieces_of([b"by url"]), "text/html")).key
    url = await storage.storage_url(key, disposition, "image/png", 77)
    assert url
    async with httpx.AsyncClient() as client:
        answer = await client.get(url)
    assert (answer.content, answer.headers["content-disposition"]) == (b"by url", disposition)
    assert answer.headers["content-type"] == "image/png"
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["77"]
    assert SECRET_ACCESS_KEY not in url


async def test_how_long_and_under_which_name_is_configured(s3: S3Server) -> None:
    config = s3.config(presigned_redirects=True, presigned_seconds=3600, public_endpoint="https://media.example.com")
    url = await load(config).storage_url(new_key(), "inline", TYPE, 77)
    assert url
    assert url.startswith(f"https://media.example.com/{BUCKET}/media/")
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["3600"]


@pytest.mark.parametrize(
    ("config", "host", "path"),
    [
        ({}, "bucket.s3.sa-east-1.amazonaws.com", "/k"),
        ({"path_style": True}, "s3.sa-east-1.amazonaws.com", "/bucket/k"),
        ({"bucket": "with.dots"}, "s3.sa-east-1.amazonaws.com", "/with.dots/k"),
        ({"endpoint": "https://minio.example.com:9000/"}, "minio.example.com:9000", "/bucket/k"),
        ({"endpoint": "https://r2.example.com", "path_style": False}, "bucket.r2.example.com", "/k"),
    ],
)
async def test_where_the_bucket_is(config: dict[str, object], host: str, path: str) -> None:
    keys = {"access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET_ACCESS_KEY, "region": "sa-east-1"}
    url = await load({"bucket": "bucket", "presigned_redirects": True, **keys, **config}).storage_url(
        "k", "inline", TYPE, 60
    )
    assert (urlsplit(url).netloc, urlsplit(url).path) == (host, path)


async def test_switched_off_the_bytes_go_through_us(s3: S3Server) -> None:
    assert await load(s3.config()).storage_url(new_key(), "inline", TYPE, 60) is None


async def test_with_the_keys_of_a_role_the_bytes_go_through_us(s3: S3Server) -> None:
    config = s3.config(presigned_redirects=True, access_key_id="", secret_access_key="")
    assert await load(config).storage_url(new_key(), "inline", TYPE, 60) is None
