"""Imports over HTTP: begun, watched, and their failed rows handed back."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from elsehu.http.downloads import CsvDownload, CsvQuery
from elsehu.http.operations import SUPERVISORS, Call, Operation, invalid
from elsehu.http.schemas import NoQuery, PageQuery
from elsehu.identity import audit
from elsehu.media.receiving import ReceivedFile, receive_file
from elsehu.messaging.contacts.importing.jobs import begin
from elsehu.messaging.contacts.importing.listing import ErrorTable, find, import_page, import_view
from elsehu.messaging.contacts.importing.schemas import ImportForm, ImportOut, ImportPage, ImportStarted
from elsehu.messaging.contacts.importing.storing import Asked, look_at, store
from elsehu.sheets import DEFAULT_LIMITS

TAG = "contacts"
LIST = "/api/contacts/imports"
FIELDS = ("mapping", "defaultRegion")

View = dict[str, Any]


async def start_import(call: Call[None, NoQuery]) -> View:
    """CSV (any delimiter and encoding) or XLSX, of at most 500,000 rows. Whose phone we know is completed.

    `mapping` is JSON and says which column is what: `{"phone": "Celular", "custom": {"city": "Cidade"}}`. What is left
    out is guessed: the phone, name, email and tags by headings and content; every other column is an own field.
    """
    async with receive_file(call, DEFAULT_LIMITS.bytes, FIELDS) as file:
        asked = _asked(call, file)
        await look_at(asked)
        async with call.transaction() as uow:
            import_id = await store(uow, asked, call.caller, audit.origin(call.request))
    await begin(call.kernel, import_id)
    return {"id": str(import_id), "status": "queued"}


def _asked(call: Call[None, NoQuery], file: ReceivedFile) -> Asked:
    try:
        form = ImportForm.model_validate(dict(file.fields))
    except ValidationError as error:
        raise invalid(error) from None
    region = form.default_region or call.kernel.settings.messaging.default_region
    return Asked(file.path, file.name, form.mapping, region)


async def list_imports(call: Call[None, PageQuery]) -> View:
    """Newest first. They are forgotten after 30 days."""
    return await import_page(call.kernel.db, call.query)


async def show_import(call: Call[None, NoQuery]) -> View:
    """The socket tells of it too: `import:updated`, at most once a second."""
    return import_view(await find(call.kernel.db, call.path_id()))


async def import_errors(call: Call[None, CsvQuery]) -> CsvDownload:
    """The failed rows as they were, with the columns `Row` and `Problem`; it can be uploaded again as it is."""
    row = await find(call.kernel.db, call.path_id())
    errors = ErrorTable(row)
    return CsvDownload("errors.csv", errors.header, errors.pages(call.kernel.db), call.query)


OPERATIONS: Sequence[Operation] = (
    Operation(
        "POST",
        "/api/contacts/import",
        start_import,
        "Import contacts out of a file (multipart: `file`, and `mapping` and `defaultRegion` if they are needed)",
        TAG,
        SUPERVISORS,
        body=ImportForm,
        answer=ImportStarted,
        status=202,
        multipart=True,
    ),
    Operation("GET", LIST, list_imports, "List imports", TAG, SUPERVISORS, query=PageQuery, answer=ImportPage),
    Operation(
        "GET", LIST + "/{id}", show_import, "Show an import", TAG, SUPERVISORS, answer=ImportOut, refusals=(404,)
    ),
    Operation(
        "GET",
        LIST + "/{id}/errors.csv",
        import_errors,
        "The rows that an import did not take, each with the reason",
        TAG,
        SUPERVISORS,
        query=CsvQuery,
        refusals=(404,),
        answer_media_type="text/csv",
    ),
)
