"""The bucket: how obstore reaches it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from elsehu_storage_s3.config import Config
from elsehu_storage_s3.errors import is_missing_object, unavailable

if TYPE_CHECKING:
    from obstore.store import S3Config

Log = Callable[..., None]

CONNECT_SECONDS = 5
WHOLE_REQUEST = timedelta(days=1)
"""How long a request may take with its body. Each wait has a limit (`timeout`), but who downloads may be slow."""


class Bucket:
    """A bucket as configured. What obstore finds in the environment (`AWS_*`) stands where the table says nothing."""

    def __init__(self, config: Config, log: Log) -> None:
        """Connects to nothing yet. Raises Unavailable where obstore cannot use the configuration."""
        self.config = config
        self._log = log
        with self.errors("open"):
            self.store = open_store(config, config.endpoint)

    async def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""
        with suppress(FileNotFoundError), self.errors("delete", may_be_missing=True):
            await obstore.delete_async(self.store, key)

    @contextmanager
    def errors(self, action: str, *, may_be_missing: bool = False) -> Iterator[None]:
        """Turn what obstore raises into Unavailable, after logging it.

        Raises FileNotFoundError for a missing object where that `may_be_missing`.
        """
        try:
            yield
        except (BaseError, FileNotFoundError, ValueError) as error:
            if may_be_missing and is_missing_object(error):
                raise FileNotFoundError("no such object") from None
            refusal, reason = unavailable(error)
            self._log("s3_error", action=action, bucket=self.config.bucket, error=refusal.code, **reason)
            raise refusal from None


def open_store(config: Config, endpoint: str) -> S3Store:
    """Return obstore's store for the bucket under `endpoint` (empty: as AWS has it)."""
    return S3Store(
        config=_s3_config(config, endpoint),
        prefix=config.prefix or None,
        client_options={
            "allow_http": config.allow_http,
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "read_timeout": timedelta(seconds=config.timeout),
            "timeout": WHOLE_REQUEST,
        },
        retry_config={
            "max_retries": config.retries,
            "retry_timeout": timedelta(seconds=config.timeout * (config.retries + 1)),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5)},
        },
    )


def _s3_config(config: Config, endpoint: str) -> "S3Config":
    path_style = bool(endpoint) or "." in config.bucket if config.path_style is None else config.path_style
    found: S3Config = {
        "bucket": config.bucket,
        "virtual_hosted_style_request": not path_style,
        "disable_bulk_delete": True,  # several compatible storages lack it, and we delete one by one
    }
    if endpoint:
        found["endpoint"] = endpoint.rstrip("/") if path_style else _of_bucket(endpoint, config.bucket)
    if config.region:
        found["region"] = config.region
    if config.access_key_id:
        found["access_key_id"] = config.access_key_id
        found["secret_access_key"] = config.secret_access_key.get_secret_value()
    if config.server_side_encryption:
        found["server_side_encryption"] = config.server_side_encryption
    if config.kms_key_id:
        found["sse_kms_key_id"] = config.kms_key_id
    return found


def _of_bucket(endpoint: str, bucket: str) -> str:
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{bucket}.{parts.netloc}"
