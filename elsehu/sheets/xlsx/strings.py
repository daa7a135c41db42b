"""The texts of a workbook, shared or in their cells."""

import os
import re
import tempfile
from array import array
from collections.abc import Iterable
from functools import lru_cache

from elsehu.sheets import refusals
from elsehu.sheets.model import Limits
from elsehu.sheets.xlsx.xml import Attributes, parsed

MOST_STRINGS = 10_000_000
LONGEST_NUMBER = 11
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


def unescaped(text: str) -> str:
    """Return `text` with its `_x000D_` as characters (ECMA-376 part 1, 22.9.2.19); what no text can hold goes."""
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return "" if code == 0 or 0xD800 <= code < 0xE000 else chr(code)


def whole(found: list[str]) -> str:
    """Return what was found as one text, and empty it."""
    text = found[0] if len(found) == 1 else "".join(found)
    found.clear()
    return text


class SharedStrings:
    """The strings by their numbers, kept in a temporary file, for there may be millions. Close it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="elsehu-strings-")  # noqa: SIM115 - open as long as this is
        self._ends = array("Q", [0])
        self._known = lru_cache(maxsize=256)(self._get)

    def read(self, pieces: Iterable[bytes], limits: Limits) -> None:
        """Take the strings of a part. Raises Invalid and TooLarge."""
        listener = _Strings(limits)
        for _ in parsed(pieces, listener):
            self._add(listener.strings)
            listener.strings.clear()
            if len(self._ends) > MOST_STRINGS:
                raise refusals.inflates_too_much(limits)
        self._file.flush()

    def _add(self, strings: Iterable[str]) -> None:
        for text in strings:
            self._ends.append(self._ends[-1] + self._file.write(text.encode()))

    def get(self, number: str) -> str:
        """Return the string with this number. Raises Invalid."""
        if len(number) > LONGEST_NUMBER:
            raise refusals.damaged()
        return self._known(number)

    def _get(self, number: str) -> str:
        place = int(number) if number.isdecimal() else -1
        if not 0 <= place < len(self._ends) - 1:
            raise refusals.damaged()
        start = self._ends[place]
        return os.pread(self._file.fileno(), self._ends[place + 1] - start, start).decode()

    def close(self) -> None:
        """Delete the file."""
        self._file.close()


class _Strings:
    """Collects strings: their runs together, without how they are pronounced (`rPh`)."""

    names = frozenset({"si", "t", "rPh"})

    def __init__(self, limits: Limits) -> None:
        self.depth = 0
        self.strings: list[str] = []
        self._longest = limits.cell_length
        self._found: list[str] = []
        self._is_text = self._is_spoken = False

    def start(self, name: str, _: Attributes, /) -> None:
        self.depth += 1
        if name == "t":
            self._is_text = not self._is_spoken
        elif name == "rPh":
            self._is_spoken = True

    def text(self, text: str, /) -> None:
        """Keep text. What comes after more than a cell may hold is dropped: it is refused as too long anyway."""
        if self._is_text and (not self._found or sum(map(len, self._found)) <= self._longest):
            self._found.append(text)

    def end(self, name: str, /) -> None:
        self.depth -= 1
        if name == "t":
            self._is_text = False
        elif name == "si":
            self.strings.append(unescaped(whole(self._found)))
        elif name == "rPh":
            self._is_spoken = False
