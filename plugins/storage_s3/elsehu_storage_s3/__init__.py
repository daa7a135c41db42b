"""Media on S3 and compatible storages for Elsehu. See README.md beside this package."""

from collections.abc import AsyncIterator
from functools import cached_property

from elsehu.plugin import ByteRange, PluginContext, PluginInfo, StoredObject, check_key, hookimpl
from elsehu_storage_s3.bucket import Bucket
from elsehu_storage_s3.config import Config
from elsehu_storage_s3.presigning import Presigner
from elsehu_storage_s3.reading import read
from elsehu_storage_s3.writing import write


class S3Storage:
    """The plugin: one bucket, opened when it is first needed (nothing of it may run before a process forks)."""

    def __init__(self) -> None:
        self._context: PluginContext | None = None

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Say what this plugin is."""
        return PluginInfo("storage_s3", "Keeps media on S3 or a compatible storage.", config=Config, is_storage=True)

    @hookimpl
    async def storage_put(
        self, context: PluginContext, key: str, chunks: AsyncIterator[bytes], mime_type: str
    ) -> StoredObject:
        """Store a stream under `key`: whole or not at all, in the bucket when this returns."""
        size, sha256 = await write(self._bucket_of(context), check_key(key), chunks, mime_type)
        return StoredObject(key, size, sha256)

    @hookimpl
    def storage_open(self, context: PluginContext, key: str, byte_range: ByteRange | None) -> AsyncIterator[bytes]:
        """Yield the object's bytes, or those of the range. Raises FileNotFoundError at the first step."""
        return read(self._bucket_of(context), check_key(key), byte_range)

    @hookimpl
    async def storage_delete(self, context: PluginContext, key: str) -> None:
        """Delete the object; one that is not there is no error."""
        await self._bucket_of(context).delete(check_key(key))

    @hookimpl
    async def storage_url(
        self, context: PluginContext, key: str, disposition: str, mime_type: str, seconds: int
    ) -> str | None:
        """Return a presigned URL; None where they are switched off, or where nobody told us the keys to sign with."""
        bucket = self._bucket_of(context)
        if not bucket.config.presigned_redirects:
            return None
        return await self._presigner.url(
            check_key(key), disposition, mime_type, bucket.config.presigned_seconds or seconds
        )

    def _bucket_of(self, context: PluginContext) -> Bucket:
        self._context = self._context or context
        return self._bucket

    @cached_property
    def _bucket(self) -> Bucket:
        assert self._context
        return Bucket(self._context.config, self._context.log)

    @cached_property
    def _presigner(self) -> Presigner:
        return Presigner(self._bucket)
