"""CSV that is handed out while it is read, a page at a time: no connection is held, and nothing is in memory whole."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Literal

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from elsehu.plugin import ApiModel, csv_lines

Delimiter = Literal[",", ";", "\t", "|"]
Rows = Sequence[Sequence[str]]


class CsvQuery(ApiModel):
    """`?delimiter=`: Excel in Portuguese opens `;`."""

    delimiter: Delimiter = ","


class CsvDownload(StreamingResponse):
    """A CSV file; what is read for it is closed at once when the client goes away."""

    def __init__(self, name: str, header: Sequence[str], pages: AsyncIterator[Rows], query: CsvQuery) -> None:
        self._lines = _lines(header, pages, query.delimiter)
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        super().__init__(self._lines, headers=headers, media_type="text/csv; charset=utf-8")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        async with aclosing(self._lines):
            await super().__call__(scope, receive, send)


async def _lines(header: Sequence[str], pages: AsyncIterator[Rows], delimiter: Delimiter) -> AsyncGenerator[str, None]:
    yield "".join(csv_lines(header, (), delimiter=delimiter))
    async for rows in pages:
        if rows:
            yield "".join(csv_lines(rows[0], rows[1:], bom=False, delimiter=delimiter))


def headed(columns: Sequence[str], *added: str) -> list[str]:
    """Return `columns` with columns of ours, each called unlike all others."""
    names = list(columns)
    for name in added:
        names.append(next(one for one in [name, *(f"{name} ({n})" for n in range(2, 9))] if one not in names))
    return names
