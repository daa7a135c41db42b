"""XML that strangers made: parsed piece by piece, and refused where it would grow in memory."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol
from xml.parsers import expat

from elsehu.sheets import refusals

DEEPEST = 10_000
"""Elements within elements. A worksheet needs seven; a piece of a hostile one may open thousands at once."""

LONGEST_NAMES = 256 * 1024
"""Characters of all different names of elements and attributes together, which the parser keeps."""

LONGEST_TOKEN = 1024 * 1024
"""Bytes of a tag, which the parser keeps until it is whole."""

Attributes = Mapping[str, str]
Element = tuple[str, Attributes]


class Listener(Protocol):
    """Hears XML. `names` are the elements that it knows; it counts in `depth` how many are open."""

    depth: int

    @property
    def names(self) -> Collection[str]:
        """Without a prefix."""

    def start(self, name: str, attributes: Attributes, /) -> None:
        """An element begins."""

    def end(self, name: str, /) -> None:
        """An element ends."""

    def text(self, text: str, /) -> None:
        """Here is text."""


def parsed(pieces: Iterable[bytes], listener: Listener) -> Iterator[None]:
    """Tell `listener` what is in `pieces`; yields after each. Raises Invalid for what is no XML of a workbook."""
    names: dict[str, str] = {}
    parser = expat.ParserCreate(intern=names)
    parser.buffer_text = True

    def root(name: str, attributes: Attributes) -> None:
        """Have the parser itself drop the prefix of the document's own names: interning turns one into the other."""
        prefix, colon, _ = name.rpartition(":")
        names.update({prefix + colon + known: known for known in listener.names})
        parser.StartElementHandler = listener.start
        listener.start(names.get(name, name), attributes)

    parser.StartElementHandler, parser.EndElementHandler = root, listener.end
    parser.CharacterDataHandler = listener.text
    parser.StartDoctypeDeclHandler = _refuse  # no workbook declares entities
    fed = known = 0
    try:
        for piece in pieces:
            parser.Parse(piece, False)
            fed += len(piece)
            if fed - parser.CurrentByteIndex > LONGEST_TOKEN or listener.depth > DEEPEST:
                raise refusals.damaged()
            if len(names) > known:
                known = len(names)
                _check_names(names)
            yield
        parser.Parse(b"", True)
        yield
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: of encodings
        raise refusals.damaged() from error


def elements(pieces: Iterable[bytes], wanted: Collection[str]) -> Iterator[Element]:
    """Yield the elements with a name in `wanted`. Raises Invalid."""
    listener = _Collecting(wanted)
    for _ in parsed(pieces, listener):
        yield from listener.found
        listener.found.clear()


def _check_names(names: Collection[str]) -> None:
    if sum(map(len, names)) > LONGEST_NAMES:
        raise refusals.damaged()


class _Collecting:
    def __init__(self, names: Collection[str]) -> None:
        self.names = names
        self.depth = 0
        self.found: list[Element] = []

    def start(self, name: str, attributes: Attributes, /) -> None:
        self.depth += 1
        if name in self.names:
            self.found.append((name, attributes))

    def end(self, _: str, /) -> None:
        self.depth -= 1

    def text(self, _: str, /) -> None:
        """Nothing that is wanted is text."""


def _refuse(*_: object) -> None:
    raise refusals.damaged()
