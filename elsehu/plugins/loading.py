"""Loading plugins: found by the entry-point group `elsehu`, chosen by `elsehu.toml`.

Whatever does not fit refuses to start with a ConfigError that names plugin, file and fix.
"""

import inspect
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy
import structlog
from pydantic import BaseModel, ValidationError

from elsehu import hookspecs
from elsehu.clock import utc_now
from elsehu.contracts.errors import ConfigError
from elsehu.contracts.plugin import HOOK_API, PluginContext, PluginInfo
from elsehu.contracts.rules import BUILT_IN_ASSIGNMENT
from elsehu.environment import perhaps
from elsehu.plugins.facade import Plugin, Plugins
from elsehu.settings import DEFAULT_PLUGINS, Settings

GROUP = "elsehu"
REQUIRED_OF_PROVIDERS = (
    "provider_receive",
    "provider_normalize",
    "provider_send",
    "provider_connect",
    "provider_disconnect",
    "provider_status",
)
REQUIRED_OF_STORAGES = ("storage_put", "storage_open", "storage_delete")


def installed() -> Mapping[str, list[EntryPoint]]:
    """Return the installed plugins' entry points by name."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, []).append(entry)
    return found


class _NoHttp:
    """Stands in for HTTP until a kernel is open: registration does no I/O."""

    async def request(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("a plugin made an HTTP request before the kernel was open")

    def stream(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("a plugin made an HTTP request before the kernel was open")


def load_plugins(settings: Settings, found: Mapping[str, Sequence[EntryPoint]] | None = None) -> Plugins:
    """Load the plugins that the settings name. Raises ConfigError for whatever does not fit."""
    entries = installed() if found is None else found
    manager = pluggy.PluginManager("elsehu")
    for family in hookspecs.FAMILIES:
        manager.add_hookspecs(family)
    _check_tables(settings, entries)
    loaded = [_load(manager, name, entries, settings) for name in _wanted(settings, entries)]
    _check_hooks(manager)
    _check_unique(loaded)
    _check_storage(loaded, settings.media.storage)
    _check_assignment(loaded, settings)
    plugins = Plugins(loaded, settings.media.storage)
    _check_exporters(plugins)
    return plugins


def _wanted(settings: Settings, entries: Mapping[str, Sequence[EntryPoint]]) -> Sequence[str]:
    """Return the plugins to load. Of the usual ones those that are not installed are not missed."""
    names = settings.enabled_plugins
    return [name for name in names if name in entries] if names == DEFAULT_PLUGINS else names


def _refuse(code: str, detail: str) -> ConfigError:
    return ConfigError(code, detail)


def _check_tables(settings: Settings, entries: Mapping[str, Sequence[EntryPoint]]) -> None:
    for name, table in settings.plugins.items():
        if name == "enabled":
            continue
        known = ["enabled", *sorted(entries)]
        if not isinstance(table, Mapping) or name not in entries:
            raise _refuse(
                "plugin_not_found",
                f"{settings.file_name}: [plugins.{name}] belongs to no installed plugin{perhaps(name, known)} "
                "Correct the name, install the plugin, or remove this.",
            )


def _load(
    manager: pluggy.PluginManager, name: str, entries: Mapping[str, Sequence[EntryPoint]], settings: Settings
) -> Plugin:
    candidates = entries.get(name, ())
    where = settings.file_name
    if not candidates:
        have = ", ".join(sorted(entries)) or "none"
        raise _refuse(
            "plugin_not_found",
            f"{where}: [plugins] enabled names {name!r}, but no such plugin is installed (installed: {have}). "
            "Correct the name or install its package.",
        )
    if len(candidates) > 1:
        packages = ", ".join(sorted(entry.dist.name if entry.dist else entry.value for entry in candidates))
        raise _refuse(
            "plugin_conflict",
            f"Two installed packages claim the plugin name {name!r}: {packages}. Uninstall one.",
        )
    if any(plugin_name == name for plugin_name, _ in manager.list_name_plugin()):
        raise _refuse("plugin_conflict", f"{where}: [plugins] enabled names {name!r} twice. Remove one.")
    implementation = _import(name, candidates[0])
    _register(manager, name, implementation)
    hooks = {caller.name: _own(caller, name) for caller in manager.get_hookcallers(implementation) or ()}
    info = _info(name, hooks)
    return Plugin(info, implementation, hooks, _context(info, settings))


def _import(name: str, entry: EntryPoint) -> Any:
    try:
        loaded = entry.load()
        return loaded() if inspect.isclass(loaded) else loaded
    except Exception as error:
        raise _refuse(
            "plugin_broken",
            f"The plugin {name!r} ({entry.value}) cannot be imported: {type(error).__name__}: {error}. "
            "Reinstall its package, or remove it from [plugins] enabled.",
        ) from error


def _register(manager: pluggy.PluginManager, name: str, implementation: Any) -> None:
    try:
        manager.register(implementation, name=name)
    except pluggy.PluginValidationError as error:
        raise _refuse(
            "plugin_hook_invalid",
            f"The plugin {name!r} does not fit the hooks of this version: {_first_lines(error)}. "
            "Correct the hook's arguments (see docs/plugins.md) or update the plugin.",
        ) from error
    except ValueError as error:
        raise _refuse("plugin_conflict", f"The plugin {name!r} is registered twice: {error}.") from error


def _first_lines(error: Exception) -> str:
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())


def _own(caller: pluggy.HookCaller, name: str) -> Any:
    return next(one for one in caller.get_hookimpls() if one.plugin_name == name)


def _info(name: str, hooks: Mapping[str, Any]) -> PluginInfo:
    if "plugin_info" not in hooks:
        raise _refuse(
            "plugin_invalid",
            f"The plugin {name!r} does not implement the hook plugin_info, which says what it is.",
        )
    info = hooks["plugin_info"].function()
    if not isinstance(info, PluginInfo):
        raise _refuse("plugin_invalid", f"The plugin {name!r}: plugin_info must return a PluginInfo.")
    if info.name != name:
        raise _refuse("plugin_invalid", f"The plugin {name!r} calls itself {info.name!r}: both names must be one.")
    if info.hook_api != HOOK_API:
        raise _refuse(
            "plugin_wrong_version",
            f"The plugin {name!r} is written for hook API {info.hook_api}; this Elsehu offers {HOOK_API}. "
            "Install a version of the plugin that fits.",
        )
    _check_required(name, info, hooks)
    return info


def _check_required(name: str, info: PluginInfo, hooks: Mapping[str, Any]) -> None:
    required = (REQUIRED_OF_PROVIDERS if info.provider else ()) + (REQUIRED_OF_STORAGES if info.is_storage else ())
    missing = [hook for hook in required if hook not in hooks]
    if missing:
        raise _refuse(
            "plugin_invalid",
            f"The plugin {name!r} lacks the hooks that its kind needs: {', '.join(missing)}.",
        )


def _context(info: PluginInfo, settings: Settings) -> PluginContext:
    plugin_log = structlog.get_logger(f"elsehu.plugin.{info.name}")
    return PluginContext(
        config=_config(info, settings),
        http=_NoHttp(),
        now=utc_now,
        log=plugin_log.info,
        data_dir=settings.data_dir / "plugins" / info.name,
    )


def _config(info: PluginInfo, settings: Settings) -> BaseModel:
    try:
        return info.config.model_validate(settings.plugin_table(info.name))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in ("plugins", info.name, *first["loc"]))
        known = ", ".join(info.config.model_fields) or "none"
        raise _refuse(
            "plugin_config_invalid",
            f"{settings.file_name}: {key}: {first['msg']}. Keys of this plugin: {known}.",
        ) from error


def _check_hooks(manager: pluggy.PluginManager) -> None:
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise _refuse(
            "plugin_hook_unknown",
            f"The plugin {manager.get_name(error.plugin)!r}: {_first_lines(error).partition(' in plugin ')[0]}. "
            "Correct the hook's name (see docs/plugins.md).",
        ) from error


def _check_unique(loaded: Sequence[Plugin]) -> None:
    owners: dict[str, str] = {}
    for plugin in loaded:
        spec = plugin.info.provider
        for name in (spec.name, *spec.webhook_names) if spec else ():
            if name in owners:
                raise _refuse(
                    "plugin_conflict",
                    f"The plugins {owners[name]!r} and {plugin.info.name!r} both provide {name!r}. "
                    "Enable only one of them in [plugins] enabled.",
                )
            owners[name] = plugin.info.name


def _check_assignment(loaded: Sequence[Plugin], settings: Settings) -> None:
    known = [*BUILT_IN_ASSIGNMENT, *(plugin.info.name for plugin in loaded if plugin.implements("choose_operator"))]
    for name in settings.desk.assignment_rules:
        if name not in known:
            raise _refuse(
                "assignment_not_found",
                f"{settings.file_name}: [desk] assignment names {name!r}, which is no rule{perhaps(name, known)} "
                f"Choose off, or of these: {', '.join(known)}; or add the plugin to [plugins] enabled.",
            )


def _check_exporters(plugins: Plugins) -> None:
    owners: dict[str, str] = {}
    for plugin, exporter in plugins.registered("report_exporters"):
        if exporter.name in owners:
            raise _refuse(
                "plugin_conflict",
                f"The plugins {owners[exporter.name]!r} and {plugin.info.name!r} both export reports as "
                f"{exporter.name!r}. Enable only one of them in [plugins] enabled.",
            )
        owners[exporter.name] = plugin.info.name


def _check_storage(loaded: Sequence[Plugin], chosen: str) -> None:
    storages = [plugin.info.name for plugin in loaded if plugin.info.is_storage]
    if chosen not in storages:
        have = ", ".join(storages) or "none"
        raise _refuse(
            "storage_not_found",
            f"[media] storage is {chosen!r}, which is no enabled storage plugin (enabled storages: {have}). "
            "Add it to [plugins] enabled, or choose another.",
        )
