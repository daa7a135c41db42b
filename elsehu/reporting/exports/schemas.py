"""What exports take and give over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from elsehu.http.schemas import ApiModel
from elsehu.reporting.schemas import VolumeQuery

ReportName = Literal[
    "finished-conversations", "kpis", "operators", "tabulations", "service-instances", "campaigns", "volume"
]
DEFAULT_FORMAT = "csv"
FormatName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,60}$")]


class ExportQuery(VolumeQuery):
    """A report by its name, the same filter, and a `format` of those that are installed.

    `background`: make it in the background even if it could be streamed. `bucket` is the volume's.
    """

    report: ReportName
    format: Annotated[FormatName, Field(examples=["csv", "xlsx"])] = DEFAULT_FORMAT
    background: bool = False


class ExportOut(ApiModel):
    """A report that is made in the background. `downloadUrl` is there while it can be fetched."""

    id: UUID
    report: str
    format: str
    status: Literal["waiting", "running", "ready", "failed", "expired"]
    rows: int
    total: int | None
    progress: float
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    url: str
    download_url: str | None


class FormatOut(ApiModel):
    """A format in which reports can be had."""

    name: str
    title: str
    media_type: str
    extension: str


class FormatsOut(ApiModel):
    """All formats, in the order of the plugins."""

    items: list[FormatOut]
