"""Checks that need no stand-in: does the plugin load, and does it say of itself what makes sense?"""

import inspect
import re
from typing import Any

from pydantic import BaseModel, ValidationError

from elsehu import hookspecs
from elsehu.contracts.errors import ConfigError
from elsehu.contracts.inbound import Normalized
from elsehu.contracts.message import MEDIA_KINDS, Kind
from elsehu.contracts.plugin import CAPTIONED, ProviderSpec
from elsehu.contracts.webhook import Accepted
from elsehu.testing.conformance.garbage import garbage_bodies
from elsehu.testing.conformance.outcome import Check, Failed, Skipped, require
from elsehu.testing.conformance.seeing import told
from elsehu.testing.conformance.trial import Trial

URL_SAFE = re.compile(r"[a-z0-9][a-z0-9_-]*")
MIME_TYPE = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+*-]+")
NEVER_SENT = {Kind.SYSTEM, Kind.UNSUPPORTED}
INTERACTIVE_TYPES = {"buttons", "list", "link", "flow", "location_request", "contact_request"}
UNKNOWN_KEY = "noSuchKeyEver"


async def loads(trial: Trial) -> None:
    """Load the plugin as an installation does."""
    try:
        plugin = trial.plugin
    except ConfigError as error:
        raise Failed(error.detail) from None
    require(plugin.info.summary.strip(), "PluginInfo.summary is empty")
    require(
        plugin.info.provider or plugin.info.is_storage or plugin.info.summary, "the plugin says nothing about itself"
    )


async def hooks_fit(trial: Trial) -> None:
    """Compare each hook with its spec: async where the spec is, and nowhere else."""
    wrong = []
    for name, implementation in trial.plugin.hooks.items():
        spec = next(getattr(family, name) for family in hookspecs.FAMILIES if hasattr(family, name))
        wanted, found = map(inspect.iscoroutinefunction, (spec, implementation.function))
        if wanted and not found:
            wrong.append(f"{name} must be `async def`")
        if found and not wanted:
            wrong.append(f"{name} must not be a coroutine" + _instead(spec))
    require(not wrong, "; ".join(wrong))


def _instead(spec: Any) -> str:
    yields = "AsyncIterator" in str(inspect.signature(spec).return_annotation)
    return ": make it an async generator (`async def` with `yield`)" if yields else ": make it `def`"


async def spec_makes_sense(trial: Trial) -> None:
    """Compare what the spec says with itself, and with the hooks."""
    wrong = [*_names(trial.spec), *_kinds(trial), *_limits(trial.spec)]
    require(not wrong, "; ".join(wrong))


def _names(spec: ProviderSpec) -> list[str]:
    names = [spec.name, *spec.webhook_names]
    wrong = [f"the name {one!r} does not fit a URL: lower-case letters, digits, - and _" for one in names
             if not URL_SAFE.fullmatch(one)]  # fmt: skip
    return [*wrong, *(["a name stands twice in name and webhook_names"] if len(set(names)) < len(names) else [])]


def _kinds(trial: Trial) -> list[str]:
    spec, wrong = trial.spec, []
    if not spec.kinds:
        wrong.append("`kinds` is empty: a provider sends at least Kind.TEXT")
    if impossible := spec.kinds & NEVER_SENT:
        wrong.append(f"`kinds` holds {', '.join(sorted(impossible))}, which nobody sends")
    if foreign := [kind for kind in spec.media_limits if kind not in spec.kinds & MEDIA_KINDS]:
        wrong.append(f"`media_limits` has {', '.join(sorted(foreign))}, which `kinds` does not send as a file")
    if spec.captions - MEDIA_KINDS or (spec.captions != CAPTIONED and spec.captions - spec.kinds):
        wrong.append("`captions` holds kinds that are not sent as files")
    if spec.interactive and Kind.INTERACTIVE not in spec.kinds:
        wrong.append("`interactive` has limits, but Kind.INTERACTIVE is not in `kinds`")
    if Kind.INTERACTIVE in spec.kinds and not spec.interactive:
        wrong.append("Kind.INTERACTIVE is in `kinds`, but `interactive` names no type, so none can be sent")
    if strange := set(spec.interactive) - INTERACTIVE_TYPES:
        wrong.append(f"`interactive` has unknown types: {', '.join(sorted(strange))}")
    if spec.voice_types and Kind.AUDIO not in spec.kinds:
        wrong.append("`voice_types` are given, but Kind.AUDIO is not in `kinds`")
    if trial.can("templates") and Kind.TEMPLATE not in spec.kinds:
        wrong.append("provider_templates is implemented, but Kind.TEMPLATE is not in `kinds`")
    wrong += [
        f"provider_{one}_template is implemented without provider_templates"
        for one in ("save", "delete")
        if trial.can(f"{one}_template") and not trial.can("templates")
    ]
    return wrong


def _limits(spec: ProviderSpec) -> list[str]:
    numbers: dict[str, float | None] = {
        "max_text": spec.max_text,
        "max_caption": spec.max_caption,
        "max_contacts": spec.max_contacts,
        "window_hours": spec.window_hours,
        "messages_per_second": spec.messages_per_second,
        "pair_limit.seconds": spec.pair_limit.seconds if spec.pair_limit else None,
        "pair_limit.burst": spec.pair_limit.burst if spec.pair_limit else None,
        **{f"media_limits[{kind}].max_bytes": one.max_bytes for kind, one in spec.media_limits.items()},
    }
    types = [*spec.voice_types, *(one for limit in spec.media_limits.values() for one in limit.mime_types)]
    return [
        *(
            f"`{name}` must be more than nothing"
            for name, number in numbers.items()
            if number is not None and number <= 0
        ),
        *(f"{one!r} is no media type in lower case" for one in sorted(set(types)) if not MIME_TYPE.fullmatch(one)),
    ]


async def schemas_refuse(trial: Trial) -> None:
    """Give each schema a key that it does not know."""
    info = trial.plugin.info
    schemas: dict[str, type[BaseModel]] = {"PluginInfo.config": info.config}
    if info.provider:
        schemas |= {"credentials": info.provider.credentials, "settings": info.provider.settings}
    lax = [f"{name} ({schema.__name__})" for name, schema in schemas.items() if not _refuses(schema)]
    require(not lax, f"a mistyped key goes unnoticed in: {', '.join(lax)}")


def _refuses(schema: type[BaseModel]) -> bool:
    try:
        schema.model_validate({UNKNOWN_KEY: 1})
    except ValidationError as error:
        return any(one["loc"] == (UNKNOWN_KEY,) for one in error.errors(include_url=False, include_input=False))
    return False


async def nobodys_garbage(trial: Trial) -> None:
    """Normalise anything, authenticated for no instance: that needs no declaration."""
    if trial.spec is None:
        raise Skipped("the plugin is no provider")
    for payload in garbage_bodies(200):
        try:
            found = trial.plugins.normalize(trial.plugin, Accepted(payload, []))
        except Exception as error:
            raise Failed(f"provider_normalize raised {told(error)} for the payload {payload!r:.200}") from error
        if inspect.iscoroutine(found):
            found.close()
        require(isinstance(found, Normalized), f"provider_normalize returned {type(found).__name__}, not Normalized")


CHECKS = (
    Check("loads", "Correct what the message names, install the package again, and check once more.", loads, True),
    Check(
        "hooks are async as specified",
        "Write `async def` exactly where elsehu/hookspecs.py does (docs/plugins.md, Hooks).",
        hooks_fit,
        True,
    ),
    Check("spec makes sense", "Correct the ProviderSpec (docs/plugins.md, The spec).", spec_makes_sense, True),
    Check(
        "schemas refuse unknown keys",
        "Derive credentials, settings and config from elsehu.plugin.PluginModel.",
        schemas_refuse,
        True,
    ),
    Check(
        "normalize survives any payload",
        "Catch what the body makes your reading raise, and return Normalized(broken=[Broken(…)], raw=…).",
        nobodys_garbage,
        True,
    ),
)
