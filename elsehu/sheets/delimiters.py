"""Which character separates the cells of a text file."""

import re
from collections.abc import Sequence
from typing import Literal

Delimiter = Literal[",", ";", "\t", "|"]
CANDIDATES: Sequence[Delimiter] = (",", ";", "\t", "|")
DECLARED = re.compile(r"sep=([,;\t|:^~])\r?\n?\Z", re.IGNORECASE)
"""A first line that Excel writes and obeys."""

_QUOTED = re.compile('(?:(?<=[,;\t|\r\n])|^)"(?:[^"]|"")*(?:"|\\Z)')
_LINE_END = re.compile("\r\n|\r|\n")


def delimiter_of(sample: str) -> str:
    """Guess the delimiter from the beginning of a file: the one that cuts most rows into as many cells as the first.

    Delimiters inside quoted cells do not count. Where nothing is cut, it is one that does not occur.
    """
    lines = [line for line in _LINE_END.split(_QUOTED.sub("", sample)) if line.strip()]
    if len(lines) > 2:
        lines.pop()  # the sample may end within it
    return max(CANDIDATES, key=lambda candidate: _fitness([line.count(candidate) + 1 for line in lines]))


def _fitness(widths: Sequence[int]) -> tuple[float, float]:
    if not widths:
        return (0.0, 0.0)
    width = widths[0]
    regular = widths.count(width) / len(widths)
    return (regular * (width - 1) / width, regular)
