"""Comparing a body with a captured one: equal but for what differs from run to run."""

from typing import Any

# fmt: off
VOLATILE = frozenset(
    {
        "id", "instanceId", "hash", "token", "createdAt", "updatedAt", "messageTimestamp", "url", "directPath",
        "fileSha256", "fileEncSha256", "mediaKey", "mediaKeyTimestamp", "fileLength", "jpegThumbnail",
        "waveform", "seconds", "messageSecret", "messageParamsJson", "ephemeralSettingTimestamp",
        "senderTimestampMs", "timestampMs", "disconnectionAt", "disconnectionObject", "setAt", "code", "base64",
        "date_time", "server_url", "destination", "apikey", "manager", "webhookWaBusiness", "messageId", "keyId",
        "ownerJid",
    }
)
# fmt: on
"""Names whose values are compared by type alone."""


def differences(expected: Any, actual: Any, at: str = "", volatile: frozenset[str] = VOLATILE) -> list[str]:
    """Return what is different, one line each; nothing if ``actual`` is the same but for volatile values.

    Objects must have the same names, lists the same length; bytes in the flavour of objects keyed by index
    are one kind of value whatever their length.
    """
    if kind(expected) != kind(actual):
        return [f"{at or '.'}: {kind(expected)} became {kind(actual)}"]
    if kind(expected) == "object":
        return _of_objects(expected, actual, at, volatile)
    if kind(expected) == "array":
        if len(expected) != len(actual):
            return [f"{at}: {len(expected)} items became {len(actual)}"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for index, (one, other) in pairs for line in differences(one, other, f"{at}[{index}]", volatile)]
    name = at.rpartition(".")[2].partition("[")[0]
    return [] if expected == actual or name in volatile else [f"{at}: {expected!r} became {actual!r}"]


def kind(value: object) -> str:
    """Return the JSON type of a value, with indexed bytes as a type of its own."""
    if isinstance(value, dict):
        return "bytes" if value and all(name.isdigit() for name in value) else "object"
    names = {list: "array", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return names[type(value)]


def _of_objects(expected: dict[str, Any], actual: dict[str, Any], at: str, volatile: frozenset[str]) -> list[str]:
    missing = [f"{at}.{name}: missing" for name in expected if name not in actual]
    extra = [f"{at}.{name}: not in the capture" for name in actual if name not in expected]
    if at.rpartition(".")[2] in volatile:
        return missing + extra
    shared = [name for name in expected if name in actual]
    inner = (differences(expected[name], actual[name], f"{at}.{name}", volatile) for name in shared)
    return missing + extra + [line for lines in inner for line in lines]
