"""HTTP operations of exports: at once as a stream, or `202` and a download when it is ready."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from elsehu.http.operations import SUPERVISORS, Call, Operation
from elsehu.http.schemas import NoQuery
from elsehu.identity import audit
from elsehu.media.names import content_disposition
from elsehu.media.serving import serve
from elsehu.reporting.exports import background
from elsehu.reporting.exports.schemas import ExportOut, ExportQuery, FormatsOut
from elsehu.reporting.exports.writing import Export, export_of

TAG = "reports"
LARGE = 5000
"""From so many rows on, what cannot be streamed is made in the background."""


class ExportStream(StreamingResponse):
    """An export that is written while it is sent; what it reads is closed at once when the client goes away."""

    def __init__(self, export: Export) -> None:
        self._chunks: Any = export.chunks()
        headers = {"content-disposition": content_disposition(export.file_name, inline=False)}
        super().__init__(_checked(self._chunks), headers=headers, media_type=export.exporter.media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        async with aclosing(self._chunks):
            await super().__call__(scope, receive, send)


async def _checked(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        if chunk:
            yield chunk


async def export_report(call: Call[None, ExportQuery]) -> Response:
    """A report as a file, for the same filter as the report itself.

    200 streams it. 202 where it is large and its format cannot be streamed (or `background` is asked for): look at
    `url` until `downloadUrl` is there. Formats come from plugins: see `/api/reports/formats`.
    """
    export = await export_of(call.kernel, call.query)
    is_large = not export.exporter.streams and export.report.total > LARGE
    details = {"format": call.query.format, "query": str(call.request.url.query)}
    async with call.transaction() as uow:
        subject = f"report:{call.query.report}"
        await audit.record(uow, call.caller, "report_exported", subject, details, **audit.origin(call.request))
        if not is_large and not call.query.background:
            return ExportStream(export)
        asked = dict(call.request.query_params)
        row = await background.ask_for(uow, call.kernel, call.caller, asked, export.report.total)
    return JSONResponse(background.export_view(row), 202, {"location": f"{background.ALL}/{row['id']}"})


async def show_export(call: Call[None, NoQuery]) -> dict[str, Any]:
    """How far an export that is made in the background has come."""
    return background.export_view(await background.export_row(call.kernel, call.path_id()))


async def download_export(call: Call[None, NoQuery]) -> Response:
    """The file: for a day. 409 `export_not_ready` or `export_failed`, 410 `export_expired`."""
    media_id = await background.file_of(call.kernel, call.path_id())
    return await serve(call.kernel, media_id, call.request)


async def list_formats(call: Call[None, NoQuery]) -> dict[str, Any]:
    """The formats in which reports can be had: those of the enabled plugins."""
    names = ("name", "title", "extension")
    exporters = call.kernel.plugins.exporters().values()
    return {
        "items": [{**{name: getattr(one, name) for name in names}, "mediaType": one.media_type} for one in exporters]
    }


OPERATIONS: Sequence[Operation] = (
    Operation(
        "GET", "/api/reports/export", export_report, "Have a report as a file", TAG, SUPERVISORS,
        query=ExportQuery, accepted=ExportOut, answer_media_type="*/*",
    ),
    Operation("GET", "/api/reports/formats", list_formats, "List the formats of reports", TAG, SUPERVISORS,
              answer=FormatsOut),
    Operation("GET", background.ALL + "/{id}", show_export, "Show an export", TAG, SUPERVISORS,
              answer=ExportOut, refusals=(404,)),
    Operation("GET", background.ALL + "/{id}/download", download_export, "Fetch an export's file", TAG, SUPERVISORS,
              answer_media_type="*/*", refusals=(404, 409, 410)),
)  # fmt: skip
