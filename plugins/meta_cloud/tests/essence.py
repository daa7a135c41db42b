"""Events in few words, for tables: what differs from an event's defaults."""

from dataclasses import MISSING, fields
from typing import Any

from elsehu.plugin import Event, Identity, MediaContent

Essence = dict[str, Any]


def essence(event: Event) -> Essence:
    """Return what an event says: its type, and every field that is not at its default."""
    told: Essence = {"type": type(event).__name__}
    for field in fields(event):
        value = getattr(event, field.name)
        usual = field.default_factory() if field.default_factory is not MISSING else field.default
        if value != usual:
            told[field.name] = _word(value)
    return told


def _word(value: Any) -> Any:
    if isinstance(value, MediaContent):
        return {name: found for name, found in essence_of_media(value).items() if found not in (None, False)}
    if isinstance(value, list | tuple) and all(isinstance(one, Identity) for one in value):
        return [one.address for one in value]
    return int(value.timestamp()) if hasattr(value, "timestamp") else value


def essence_of_media(media: MediaContent) -> Essence:
    """Return what is known of a file."""
    return {field.name: getattr(media, field.name) for field in fields(media)}
