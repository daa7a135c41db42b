"""What imports take and give over HTTP and WebSocket."""

from datetime import datetime
from typing import Annotated

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, Field, Json

from elsehu.http.schemas import ApiModel
from elsehu.messaging.schemas import Name

MOST_FIELDS = 100


def _known_region(code: str) -> str:
    if code.upper() not in SUPPORTED_REGIONS:
        raise ValueError("is no country code of two letters, such as BR or PT")
    return code.upper()


Region = Annotated[str, AfterValidator(_known_region)]
Column = Annotated[str, Field(max_length=32_767)]


class ColumnMapping(ApiModel):
    """Which column holds what, by its heading. What is left out is guessed, what is null is not taken.

    `custom` are own fields by their names; left out, every other column is one, called as its heading.
    """

    phone: Column | None = None
    name: Column | None = None
    email: Column | None = None
    tags: Column | None = None
    custom: Annotated[dict[Name, Column], Field(max_length=MOST_FIELDS)] | None = None


class ImportForm(ApiModel):
    """What goes with the file: `mapping` as JSON; `defaultRegion`, the country of phones without a country code."""

    mapping: Json[ColumnMapping] = ColumnMapping()
    default_region: Region | None = None


class ImportStarted(ApiModel):
    """Where to look for what becomes of it."""

    id: str
    status: str


class ImportProblem(ApiModel):
    """Why an import failed as a whole."""

    code: str
    detail: str


class ImportOut(ApiModel):
    """An import: `queued`, `running`, `finished` or `failed`.

    Of the `total` rows (null until they are counted) each comes to be one of `created`, `updated`, `skipped` (it said
    nothing new) and `failed`; `progress` is which part of them is done, from 0 to 1. `errorsUrl` is where the failed
    rows are to be had, each with its reason.
    """

    id: str
    status: str
    file_name: str
    columns: list[str]
    mapping: ColumnMapping
    default_region: str
    total: int | None
    created: int
    updated: int
    skipped: int
    failed: int
    progress: float
    error: ImportProblem | None
    errors_url: str | None
    created_at: datetime
    finished_at: datetime | None


class ImportPage(ApiModel):
    """A page of imports, newest first."""

    items: list[ImportOut]
    next_cursor: str | None
