"""The one place that touches pluggy: loading the plugins that `elsehu.toml` names, and calling their hooks."""

from elsehu.plugins.facade import Plugin, Plugins
from elsehu.plugins.loading import installed, load_plugins

__all__ = ["Plugin", "Plugins", "installed", "load_plugins"]
