"""The checks of request bodies, worded as the real server's schema library words them."""

from collections.abc import Callable, Sequence
from typing import Any

from .errors import bad_request

Rule = Callable[[dict[str, Any]], list[str]]
TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}


def check(body: dict[str, Any], *rules: Rule) -> None:
    """Apply ``rules`` to ``body``; raise a 400 with a list in a list of everything that is wrong."""
    wrong = [text for rule in rules for text in rule(body)]
    if wrong:
        raise bad_request(wrong)


def required(*names: str, of: str = "instance") -> Rule:
    """Demand properties; ``of`` is the object's name in the message."""

    def rule(body: dict[str, Any]) -> list[str]:
        return [f'{of} requires property "{name}"' for name in names if name not in body]

    return rule


def typed(kind: str, *names: str) -> Rule:
    """Demand a type (a key of ``TYPES``) of those properties that are there."""
    accepted = TYPES[kind]

    def rule(body: dict[str, Any]) -> list[str]:
        return [
            f"{name} is not of a type(s) {kind}"
            for name in names
            if name in body and not _is(body[name], kind, accepted)
        ]

    return rule


def worded(kind: str, name: str, message: str) -> Rule:
    """Demand a type of one property, with a message of its own."""
    accepted = TYPES[kind]

    def rule(body: dict[str, Any]) -> list[str]:
        return [message] if name in body and not _is(body[name], kind, accepted) else []

    return rule


def one_of(name: str, values: Sequence[str]) -> Rule:
    """Demand a value out of a list."""
    listed = ",".join(values)

    def rule(body: dict[str, Any]) -> list[str]:
        if name not in body or body[name] in values:
            return []
        return [f"{name} is not one of enum values: {listed}"]

    return rule


def at_least(name: str, length: int) -> Rule:
    """Demand a minimal length of a list."""

    def rule(body: dict[str, Any]) -> list[str]:
        short = isinstance(body.get(name), list) and len(body[name]) < length
        return [f"{name} does not meet minimum length of {length}"] if short else []

    return rule


def within(name: str, *rules: Rule) -> Rule:
    """Apply rules to a nested object, if it is there."""

    def rule(body: dict[str, Any]) -> list[str]:
        nested = body.get(name)
        return [text for inner in rules for text in inner(nested)] if isinstance(nested, dict) else []

    return rule


def _is(value: object, kind: str, accepted: tuple[type, ...]) -> bool:
    return isinstance(value, accepted) and (kind == "boolean" or not isinstance(value, bool))
