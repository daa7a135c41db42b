import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsehu.contracts.storage import ByteRange
from elsehu.media.ranges import Unsatisfiable, matches, requested_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("bytes=0-", ByteRange(0, 99)),
        ("bytes=0-0", ByteRange(0, 0)),
        ("bytes=10-19", ByteRange(10, 19)),
        ("bytes=90-1000", ByteRange(90, 99)),
        ("bytes=99-99", ByteRange(99, 99)),
        ("bytes=-1", ByteRange(99, 99)),
        ("bytes=-30", ByteRange(70, 99)),
        ("bytes=-1000", ByteRange(0, 99)),
        ("BYTES = 1-2", ByteRange(1, 2)),
        ("bytes=100-", Unsatisfiable),
        ("bytes=100-200", Unsatisfiable),
        ("bytes=-0", Unsatisfiable),
        ("bytes=-", None),
        ("bytes=5-4", None),
        ("bytes=1-2,4-5", None),
        ("bytes=a-b", None),
        ("bytes=1", None),
        ("bytes", None),
        ("lines=1-2", None),
        ("bytes=--1", None),
        ("bytes=0x1-2", None),
        ("bytes=" + "9" * 18 + "-", Unsatisfiable),
        ("bytes=" + "9" * 5000 + "-", None),
        ("bytes=²-", None),
    ],
)
def test_requested_range(header: str | None, expected: ByteRange | type[Unsatisfiable] | None) -> None:
    if expected is Unsatisfiable:
        with pytest.raises(Unsatisfiable):
            requested_range(header, 100)
    else:
        assert requested_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"])
def test_no_range_of_nothing(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        requested_range(header, 0)


@given(st.integers(0, 150), st.integers(0, 150), st.integers(1, 100))
def test_a_range_is_a_slice(first: int, last: int, size: int) -> None:
    whole = bytes(range(size))
    try:
        part = requested_range(f"bytes={first}-{last}", size)
    except Unsatisfiable:
        assert first >= size
        return
    if part is None:
        assert first > last
    else:
        assert whole[part.start : part.end + 1] == whole[first : last + 1]
        assert part.length == len(whole[first : last + 1])


@given(st.text(max_size=80) | st.from_regex(r"bytes=[0-9,\- ]*", fullmatch=True), st.integers(0, 1000))
def test_any_header_gives_a_part_of_the_file_or_none(header: str, size: int) -> None:
    try:
        part = requested_range(header, size)
    except Unsatisfiable:
        return
    assert part is None or 0 <= part.start <= part.end < size


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", "abc"', True),
        ("*", True),
        ('"x"', False),
        ("abc", False),
        ("", False),
    ],
)
def test_if_none_match(header: str | None, expected: bool) -> None:
    assert matches(header, '"abc"') is expected
