"""A cursor comes back as it was given; anything else is refused, and never breaks anything."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsehu.contracts.errors import Invalid
from elsehu.events.cursors import Cursor, read_cursor
from elsehu.events.positions import Position
from elsehu.http.pages import encode_cursor

AT = datetime(2026, 11, 23, 15, 19, 0, 123_000, UTC)


@given(st.integers(1, 2**62), st.sets(st.integers(1, 5000), max_size=50))
def test_a_cursor_comes_back_as_it_was_given(xmax: int, gaps: set[int]) -> None:
    open_xids = tuple(sorted(xmax - gap for gap in gaps if gap <= xmax))
    cursor = Cursor(Position(xmax, open_xids), AT, "0a1b2c3d")
    assert read_cursor(cursor.encode()) == cursor


MILLISECONDS = int(AT.timestamp() * 1000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%%%",
        "bm90IGpzb24",
        encode_cursor([]),
        encode_cursor(["life", MILLISECONDS, 100]),
        encode_cursor([7, MILLISECONDS, 100, []]),
        encode_cursor(["life", "now", 100, []]),
        encode_cursor(["life", 10**18, 100, []]),
        encode_cursor(["life", MILLISECONDS, -1, []]),
        encode_cursor(["life", MILLISECONDS, 2**63, []]),
        encode_cursor(["life", MILLISECONDS, 100, 7]),
        encode_cursor(["life", MILLISECONDS, 100, ["7"]]),
        encode_cursor(["life", MILLISECONDS, 100, [0]]),
        encode_cursor(["life", MILLISECONDS, 100, [101]]),
        encode_cursor(["life", MILLISECONDS, 100, [3, 5]]),
        encode_cursor(["life", MILLISECONDS, 100, [5, 5]]),
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_cursor(text)
    assert refusal.value.code == "invalid_cursor"


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_text_breaks_the_reading(text: str) -> None:
    try:
        read_cursor(text)
    except Invalid as refusal:
        assert refusal.code == "invalid_cursor"
