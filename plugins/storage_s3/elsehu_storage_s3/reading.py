"""Reading an object, or a range of it."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import obstore

from elsehu.plugin import ByteRange
from elsehu_storage_s3.bucket import Bucket

if TYPE_CHECKING:
    from obstore import GetOptions

BLOCK = 256 * 1024


async def read(bucket: Bucket, key: str, byte_range: ByteRange | None) -> AsyncIterator[bytes]:
    """Yield the bytes of the object, or those of the range, in blocks. No more is read than is asked for.

    Raises FileNotFoundError at the first step, and Unavailable where the storage fails.
    """
    options: GetOptions = {"range": (byte_range.start, byte_range.end + 1)} if byte_range else {}
    with bucket.errors("read", may_be_missing=True):
        found = await obstore.get_async(bucket.store, key, options=options)
        blocks = aiter(found.stream(min_chunk_size=BLOCK))
    while True:
        with bucket.errors("read"):
            block = await anext(blocks, None)
        if block is None:
            return
        yield block
