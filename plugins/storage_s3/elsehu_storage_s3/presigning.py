"""Presigned URLs that also say the file's name and type (AWS signature version 4, in the query).

obstore presigns, but only plain URLs. So its URL is taken, with all that it knows of endpoints, paths and tokens,
the two parameters are added, and it is signed anew.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

import hashlib
import hmac
import os
from datetime import timedelta
from urllib.parse import parse_qsl, quote, urlsplit

import obstore

from elsehu_storage_s3.bucket import Bucket, open_store
from elsehu_storage_s3.config import Config

ALGORITHM = "AWS4-HMAC-SHA256"


class Presigner:
    """Signs URLs for browsers. It needs to know the secret key: a machine's role does not tell it to us."""

    def __init__(self, bucket: Bucket) -> None:
        """`bucket` is where the objects are; browsers may know its endpoint by another name."""
        config = bucket.config
        self._bucket = bucket
        self._store = open_store(config, config.public_endpoint) if config.public_endpoint else bucket.store
        self._secret = _secret_key(config)

    async def url(self, key: str, disposition: str, mime_type: str, seconds: int) -> str | None:
        """Return a URL of the object that is valid for `seconds`, or None where the secret key is not known."""
        if not self._secret:
            return None
        with self._bucket.errors("presign"):
            plain = await obstore.sign_async(self._store, "GET", key, timedelta(seconds=seconds))
        return signed_anew(
            plain,
            self._secret,
            {"response-content-disposition": disposition, "response-content-type": mime_type},
        )


def _secret_key(config: Config) -> str:
    """Return the secret key that obstore signs with, as far as it can be known: obstore does not tell."""
    if config.access_key_id:
        return config.secret_access_key.get_secret_value()
    return os.environ.get("AWS_SECRET_ACCESS_KEY", "") if os.environ.get("AWS_ACCESS_KEY_ID") else ""


def signed_anew(url: str, secret: str, more: dict[str, str]) -> str:
    """Return a presigned URL with more parameters, signed for them too."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    del query["X-Amz-Signature"]
    canonical = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted({**query, **more}.items()))
    request = "\n".join(["GET", parts.path, canonical, f"host:{parts.netloc}", "", "host", "UNSIGNED-PAYLOAD"])
    _, date, region, service, last = query["X-Amz-Credential"].rsplit("/", 4)
    scope = f"{date}/{region}/{service}/{last}"
    to_sign = "\n".join([ALGORITHM, query["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest()])
    signing_key = f"AWS4{secret}".encode()
    for step in (date, region, service, last):
        signing_key = _hmac(signing_key, step)
    signature = _hmac(signing_key, to_sign).hex()
    return f"{parts.scheme}://{parts.netloc}{parts.path}?{canonical}&X-Amz-Signature={signature}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
