from typing import Any

from elsehu.testing import Plugins, Settings, load_plugins


def load(config: dict[str, Any]) -> Plugins:
    """Load the plugin alone, with this table."""
    plugins = {"enabled": ["storage_s3"], "storage_s3": config}
    return load_plugins(Settings.model_validate({"plugins": plugins, "media": {"storage": "storage_s3"}}))
