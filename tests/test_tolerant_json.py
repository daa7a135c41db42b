"""JSON as the world writes it."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsehu.tolerant_json import DEEPEST, mend, parse_json

READ: list[tuple[bytes, Any]] = [
    (b'{"a": [1, 2.5, true, null]}', {"a": [1, 2.5, True, None]}),
    (b'{"a": "ol\\u00e1 \\ud83d\\ude00 \\/"}', {"a": "olá 😀 /"}),
    (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    (b'{"half": "\\ud83d"}', {"half": "�"}),
    (b'{"nul\\u0000": "a\\u0000b"}', {"nul": "ab"}),
    (b'{"a": NaN, "b": Infinity}', {"a": None, "b": None}),
    (b'"\xff"', "�"),
    (b'{"a": "x\\u0000", "b": 18446744073709551615}', {"a": "x", "b": None}),
]


@pytest.mark.parametrize(("body", "value"), READ)
def test_what_strict_readers_refuse_is_read(body: bytes, value: Any) -> None:
    assert parse_json(body) == value


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"[" * 100_000, b"\xff\xfe", b'{"a": ' * 5000])
def test_what_is_no_json_is_none(body: bytes) -> None:
    assert parse_json(body) is None


def test_numbers_that_json_cannot_carry_on_are_dropped() -> None:
    assert mend({"a": [2**70, float("nan"), -(2**64), 1, 1.5]}) == {"a": [None, None, None, 1, 1.5]}


def test_what_is_mended_is_not_nested_too_deep() -> None:
    deep: Any = "x\0"
    for _ in range(DEEPEST * 2):
        deep = [deep]
    orjson.dumps(mend(deep))


@given(body=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_bytes_raise(body: bytes) -> None:
    parse_json(body)
