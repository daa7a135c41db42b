"""Media on the local disk for Elsehu. See README.md beside this package."""

from collections.abc import AsyncIterator
from pathlib import Path

from elsehu.plugin import ByteRange, PluginContext, PluginInfo, PluginModel, StoredObject, check_key, hookimpl
from elsehu_storage_local.disk import on_disk
from elsehu_storage_local.reading import read
from elsehu_storage_local.writing import write


class Config(PluginModel):
    """`[plugins.storage_local]`. `path` is the folder of the objects (default: the plugin's own data folder)."""

    path: Path | None = None


@hookimpl
def plugin_info() -> PluginInfo:
    """Say what this plugin is."""
    return PluginInfo("storage_local", "Keeps media on the local disk.", config=Config, is_storage=True)


@hookimpl
async def storage_put(context: PluginContext, key: str, chunks: AsyncIterator[bytes]) -> StoredObject:
    """Store a stream under `key`: whole or not at all, on the disk when this returns."""
    size, sha256 = await write(context.log, _root(context), check_key(key), chunks)
    return StoredObject(key, size, sha256)


@hookimpl
def storage_open(context: PluginContext, key: str, byte_range: ByteRange | None) -> AsyncIterator[bytes]:
    """Yield the object's bytes, or those of the range. Raises FileNotFoundError at the first step."""
    return read(context.log, _root(context) / check_key(key), byte_range)


@hookimpl
async def storage_delete(context: PluginContext, key: str) -> None:
    """Delete the object; one that is not there is no error."""
    path = _root(context) / check_key(key)
    await on_disk(context.log, path.unlink, True)


def _root(context: PluginContext) -> Path:
    config: Config = context.config
    return config.path or context.data_dir
