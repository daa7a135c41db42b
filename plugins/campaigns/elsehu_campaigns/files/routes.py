"""Lists over HTTP: uploaded, reported on, corrected, and the rows that cannot be sent to given back."""

from collections.abc import Sequence
from typing import Annotated, Any

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, Field

from elsehu.plugin import SUPERVISORS, ApiModel, Call, Job, NoQuery, Operation, SheetLimits, receive_file
from elsehu_campaigns.config import NAME, CampaignSettings
from elsehu_campaigns.downloads import CsvDownload, CsvQuery, headed
from elsehu_campaigns.files import reporting, storing
from elsehu_campaigns.files.reading import open_table
from elsehu_campaigns.schemas import Short

TAG = "campaigns"
FILE = "/api/campaigns/files/{id}"


def _known_region(code: str) -> str:
    if code.upper() not in SUPPORTED_REGIONS:
        raise ValueError("is no country code of two letters, such as BR or PT")
    return code.upper()


Region = Annotated[str, AfterValidator(_known_region)]


class UploadQuery(ApiModel):
    """`defaultRegion`: the country of phones without its code (default: `[messaging] default_region`)."""

    default_region: Region | None = None


class FileMapping(ApiModel):
    """Which columns hold the phones and the names."""

    phone: Short | None = None
    name: Short | None = None


class ReportBody(ApiModel):
    """How the list is to be read; what is left out stays as it is."""

    mapping: FileMapping = FileMapping()
    default_region: Region | None = None


class SampleRow(ApiModel):
    """One of the first rows, and the phone that was found in it."""

    row: int
    phone: str | None
    values: dict[str, str]


class RowError(ApiModel):
    """A row that is not sent to: `invalid_number`, `duplicate` or `opted_out`; `value` is what it has as phone."""

    row: int
    code: str
    value: str
    message: str


class FileReport(ApiModel):
    """What is known of a list. Each of its `rows` is valid, invalid, a duplicate, or of somebody who opted out.

    `errors` are the first of all `errorsTotal`; row numbers are those that a spreadsheet program shows.
    """

    file_id: str
    name: str
    columns: list[str]
    mapping: dict[str, str]
    default_region: str
    rows: int
    valid: int
    invalid: int
    duplicates: int
    opted_out: int
    sample: list[SampleRow]
    errors: list[RowError]
    errors_total: Annotated[int, Field(ge=0)]


async def upload(call: Call[None, UploadQuery]) -> dict[str, Any]:
    """Store a list, and report on it."""
    config: CampaignSettings = call.kernel.plugins.context(NAME).config
    limits = SheetLimits(config.max_file_bytes, config.max_file_rows, config.max_file_columns)
    region = call.query.default_region or call.kernel.settings.messaging.default_region
    async with (
        receive_file(call, limits.bytes) as received,
        open_table(received.path, limits) as table,
        call.transaction() as uow,
    ):
        by, now = call.caller.user_id, call.kernel.now()
        file = await storing.store(uow, table, received.name, region, by=by, now=now)
        return await reporting.report(uow, file)


async def show(call: Call[None, NoQuery]) -> dict[str, Any]:
    """Report on a list as things are now."""
    async with call.kernel.db.reader() as uow:
        return await reporting.report(uow, await storing.find(uow, call.path_id()))


async def correct(call: Call[ReportBody, NoQuery]) -> dict[str, Any]:
    """Read a list in another way."""
    mapping = call.body.mapping.model_dump(exclude_none=True)
    async with call.transaction() as uow:
        file = await storing.remap(uow, call.path_id(), mapping, call.body.default_region)
        return await reporting.report(uow, file)


async def errors(call: Call[None, CsvQuery]) -> CsvDownload:
    """Give back the rows that are not sent to."""
    async with call.kernel.db.reader() as uow:
        file = await storing.find(uow, call.path_id())
    pages = reporting.error_rows(call.kernel, file)
    return CsvDownload("errors.csv", headed(file.columns, "Row", "Problem"), pages, call.query)


async def remove(call: Call[None, NoQuery]) -> None:
    """Delete a list."""
    async with call.transaction() as uow:
        await storing.delete(uow, call.path_id())


OPERATIONS: Sequence[Operation] = (
    Operation(
        "POST",
        "/api/campaigns/upload",
        upload,
        "Upload a list of people (multipart, one field `file`: CSV or XLSX) and learn what is wrong in it",
        TAG,
        SUPERVISORS,
        query=UploadQuery,
        answer=FileReport,
        status=201,
        refusals=(413, 415, 422),
        multipart=True,
    ),
    Operation(
        "GET", FILE, show, "What is known of an uploaded list", TAG, SUPERVISORS, answer=FileReport, refusals=(404,)
    ),
    Operation(
        "POST",
        f"{FILE}/report",
        correct,
        "Correct which columns hold phones and names, and have the list reported on anew",
        TAG,
        SUPERVISORS,
        ReportBody,
        answer=FileReport,
        refusals=(404, 409, 422),
    ),
    Operation(
        "GET",
        f"{FILE}/errors.csv",
        errors,
        "All rows that are not sent to, each with the reason",
        TAG,
        SUPERVISORS,
        query=CsvQuery,
        refusals=(404,),
        answer_media_type="text/csv",
    ),
    Operation("DELETE", FILE, remove, "Delete a list that no campaign uses", TAG, SUPERVISORS, refusals=(404, 409)),
)
JOBS: Sequence[Job] = (Job("campaigns.expire_files", storing.expire, cron="43 4 * * *", queue="low"),)
