"""CSV that is handed out while it is read, a page at a time: no connection is held, and nothing is in memory whole."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from elsehu.http.schemas import ApiModel
from elsehu.sheets import csv_lines
from elsehu.sheets.delimiters import Delimiter

Rows = Sequence[Sequence[str]]


class CsvQuery(ApiModel):
    """`?delimiter=`: Excel in Portuguese opens `;`."""

    delimiter: Delimiter = ","


class CsvDownload(StreamingResponse):
    """A CSV file called `name`. What is read for it is closed at once when the client goes away."""

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
