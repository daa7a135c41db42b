"""What S3 refuses, as errors that an admin can act on. Nothing of a request, its keys or its URL is passed on.

S3's codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
"""

import re
from collections.abc import Mapping
from typing import Any

from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from elsehu.plugin import Unavailable

_CODE = re.compile(r"<Code>\s*([A-Za-z0-9.]{1,80})\s*</Code>")
_STATUS = re.compile(r"status code: ([0-9]{3})")
SOON, LATER = 5.0, 60.0

KEYS = "storage_keys_refused"
BUSY = "storage_busy"
REGION = "storage_wrong_region"
FULL = "storage_full"

WORDS: Mapping[str, tuple[str, float]] = {
    KEYS: (
        "The media storage does not accept our keys. An admin must correct access_key_id and secret_access_key "
        "in [plugins.storage_s3], or the role that this machine has.",
        LATER,
    ),
    "storage_denied": (
        "The media storage does not let our keys do this. An admin must allow them s3:GetObject, s3:PutObject, "
        "s3:DeleteObject and s3:AbortMultipartUpload in the bucket.",
        LATER,
    ),
    "storage_bucket_missing": (
        "The media storage has no such bucket. An admin must make it, or correct [plugins.storage_s3] bucket.",
        LATER,
    ),
    REGION: (
        "The bucket of the media storage is in another region. An admin must correct [plugins.storage_s3] region.",
        LATER,
    ),
    "storage_clock": (
        "The media storage refuses our clock. An admin must set the time of this machine right.",
        LATER,
    ),
    FULL: ("The media storage is full, so the file was not stored. An admin must free space.", LATER),
    BUSY: ("The media storage is busy. Try again shortly.", SOON),
    "storage_unreachable": (
        "The media storage does not answer. If that lasts, an admin must look at it and at "
        "[plugins.storage_s3] endpoint.",
        SOON,
    ),
    "storage_failed": (
        "The media storage failed, so nothing was done. An admin finds the reason in the log.",
        LATER,
    ),
}

BY_S3_CODE: Mapping[str, str] = {
    "InvalidAccessKeyId": KEYS,
    "SignatureDoesNotMatch": KEYS,
    "InvalidToken": KEYS,
    "ExpiredToken": KEYS,
    "InvalidClientTokenId": KEYS,
    "AccessDenied": "storage_denied",
    "NoSuchBucket": "storage_bucket_missing",
    "PermanentRedirect": REGION,
    "AuthorizationHeaderMalformed": REGION,
    "IllegalLocationConstraintException": REGION,
    "RequestTimeTooSkewed": "storage_clock",
    "QuotaExceeded": FULL,
    "XMinioStorageFull": FULL,
    "SlowDown": BUSY,
    "ServiceUnavailable": BUSY,
    "RequestTimeout": BUSY,
}
NO_KEYS = ("/latest/api/token", "/latest/meta-data/", "MissingSecretAccessKey", "MissingAccessKeyId")
"""In errors of obstore: it looked for a role's keys on a machine that has none, or found half a pair."""

BY_STATUS: Mapping[int, str] = {401: KEYS, 403: "storage_denied", 429: BUSY, 503: BUSY, 507: FULL}


def is_missing_object(error: Exception) -> bool:
    """Whether the error says that the object is not there; a missing bucket is also a 404."""
    return isinstance(error, FileNotFoundError) and "<Code>NoSuchBucket" not in str(error)


def unavailable(error: Exception) -> tuple[Unavailable, dict[str, Any]]:
    """Return what to raise for an error of obstore, and what may be logged of it."""
    text = str(error)
    s3_code, status = _found(_CODE, text), _found(_STATUS, text)
    code = _code(error, text, s3_code, int(status or 0))
    detail, wait = WORDS[code]
    return Unavailable(code, detail, retry_after=wait), {"status": status, "s3_code": s3_code, "reason": _reason(text)}


def _code(error: Exception, text: str, s3_code: str, status: int) -> str:
    if any(sign in text for sign in NO_KEYS):
        return KEYS
    if s3_code in BY_S3_CODE:
        return BY_S3_CODE[s3_code]
    if status in BY_STATUS:
        return BY_STATUS[status]
    if "incorrectly configured region" in text:
        return REGION
    if isinstance(error, UnauthenticatedError | PermissionDeniedError):
        return KEYS
    return "storage_failed" if status else "storage_unreachable"


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""


def _reason(text: str) -> str:
    """Return the error's first line without a body: bodies repeat what was sent, and URLs may be signed."""
    first = text.split("\n", 1)[0].split("<", 1)[0]
    return re.sub(r"\?\S*", "", first)[:300]
