"""The customers: what they write by script, and what they are made to do by hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from elsehu.plugin import Instance, OutboundMessage, PluginContext, isoformat
from elsehu_sandbox.phone import Line, phone_of
from elsehu_sandbox.settings import Line as ScriptLine
from elsehu_sandbox.settings import SandboxSettings
from elsehu_sandbox.webhooks import deliver_now
from elsehu_sandbox.wire import time_in

HELLO = (ScriptLine(text="Hello! I would like to know whether you deliver on Saturdays."),)
ANSWERS = (
    "Thank you, that helps me a lot!",
    "Perfect, thanks for the quick answer.",
    "Great! Then I will order today.",
)
TYPES_FOR = timedelta(seconds=1.5)


def new_id() -> str:
    """Return an id for a message, as a provider would give one."""
    return f"SBX{uuid4().hex.upper()}"


def script_lines(settings: SandboxSettings, now: datetime) -> list[Line]:
    """Return what the script lets customers write, from `now` on."""
    script = HELLO if settings.script == "hello" else settings.script or ()
    return [
        {
            "type": "message",
            "id": new_id(),
            "from": {"phone": line.phone, "name": line.name},
            "text": line.text,
            "at": isoformat(now + timedelta(seconds=line.after)),
        }
        for line in script
    ]


def answer_lines(
    settings: SandboxSettings, message: OutboundMessage, to: Mapping[str, Any], now: datetime
) -> list[Line]:
    """Return how the customer answers a message: types for a moment, and thanks."""
    delay = settings.delays.reply_seconds
    if settings.script != "hello" or delay is None:
        return []
    at = now + timedelta(seconds=delay)
    text = ANSWERS[message.id.int % len(ANSWERS)]
    return [
        {"type": "typing", "from": to, "state": "composing", "at": isoformat(max(now, at - TYPES_FOR))},
        {"type": "message", "id": new_id(), "from": to, "text": text, "at": isoformat(at)},
    ]


async def act(
    context: PluginContext, instance: Instance, events: Sequence[Mapping[str, Any]]
) -> tuple[list[Line], bool]:
    """Let customers do something now: it is on the phone, and its webhooks are out when this returns.

    Gives what was missing of ids and times. Returns the events as they happened, and whether Elsehu took
    them all (a phone that is offline keeps them for the history). Raises pydantic's ValidationError for an
    event of a known type that is not right; what is not known goes out as it is.
    """
    lines = [_whole(event, context.now()) for event in events]
    phone_of(context, instance).write(lines)
    return lines, await deliver_now(context, instance, lines)


def _whole(event: Mapping[str, Any], now: datetime) -> Line:
    made = {"id": new_id()} if event.get("type") == "message" else {}
    whole = {**made, "at": isoformat(now), **event}
    return {**whole, "at": isoformat(time_in(whole) or now)}
