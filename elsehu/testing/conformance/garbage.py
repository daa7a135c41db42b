"""Bodies that nobody should send: the same ones each time."""

import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import orjson

SEED = 20261123
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53, 2**63 - 1, -(2**63), 0.5, 1e300, "", " ", "0", "x", "true", "null",
    "\x00", "é", "😀", "\ud7ff", "-1", "1e9", "2026-11-23T12:00:00Z", "5511988887777", "+", "../..", "' OR 1=1 --",
    "x" * 5000, [], {}, [[]], [None], [{}],
)  # fmt: skip


def garbage_bodies(count: int) -> Iterator[Any]:
    """Yield values that a plugin could have accepted: JSON of any shape, texts, bytes."""
    rng = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    yield from (None, {}, [], "", b"", 0, b"\xff\xfe", b"{", "[" * 2000)
    for _ in range(count):
        yield rng.choice([random_json(rng, (), 3), rng.randbytes(rng.randrange(60))])


def garbage_bytes(genuine: list[bytes], count: int) -> Iterator[bytes]:
    """Yield raw bodies: `genuine` ones mutilated (two of three), JSON of any shape, and any bytes."""
    rng = random.Random(SEED)  # noqa: S311
    words = tuple(sorted({word for body in genuine for word in _words(_parsed(body))}))
    yield from (b"", b"{", b"[]", b"{}", b"null", b"0", b'""', b"\xff\xfe", b"<html>", b"[" * 50_000, b'{"a":' * 5000)
    for number in range(count):
        if genuine and number % 3:
            yield mutilated(rng, rng.choice(genuine), words)
        else:
            yield rng.choice([orjson.dumps(random_json(rng, words, 4)), rng.randbytes(rng.randrange(200))])


def mutilated(rng: random.Random, body: bytes, words: tuple[str, ...]) -> bytes:
    """Return `body` with parts dropped, replaced or doubled; where it is no JSON, with bytes cut or changed."""
    value = _parsed(body)
    if not isinstance(value, dict | list) or rng.random() < 0.1:
        return _bitten(rng, body)
    for _ in range(rng.randrange(1, 5)):
        places = list(_places(value))
        if not places:
            break
        container, key = rng.choice(places)
        match rng.randrange(3):
            case 0:
                del container[key]
            case 1:
                container[key] = _another(rng, container[key], words)
            case _:
                container[key] = [container[key], deepcopy(container[key])]
    return orjson.dumps(value)


def random_json(rng: random.Random, words: tuple[str, ...], depth: int) -> Any:
    """Return some JSON; objects have keys of `words`, so that they look familiar."""
    if depth == 0 or rng.random() < 0.4:
        return deepcopy(rng.choice(SCALARS))
    if rng.random() < 0.4:
        return [random_json(rng, words, depth - 1) for _ in range(rng.randrange(4))]
    keys = [rng.choice(words) if words and rng.random() < 0.8 else f"k{number}" for number in range(rng.randrange(5))]
    return {key: random_json(rng, words, depth - 1) for key in keys}


def _another(rng: random.Random, value: Any, words: tuple[str, ...]) -> Any:
    """Return another value: mostly one of the same type, which gets past the first checks."""
    alike = [one for one in SCALARS if type(one) is type(value)]
    return deepcopy(rng.choice(alike)) if alike and rng.random() < 0.7 else random_json(rng, words, 2)


def _bitten(rng: random.Random, body: bytes) -> bytes:
    cut = rng.randrange(len(body) + 1)
    return body[:cut] + (rng.randbytes(2) + body[cut + 2 :] if rng.random() < 0.5 else b"")


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    for key, one in pairs:
        yield value, key
        yield from _places(one)


def _words(value: Any) -> Iterator[str]:
    for container, key in _places(value):
        if isinstance(container, dict):
            yield key
