"""Bases of what the API takes and gives: camelCase in JSON, snake_case in Python, unknown fields refused."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL has no place for the character NUL in texts."""


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("is too far away") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with its zone, which PostgreSQL can hold."""


class ApiModel(BaseModel):
    """Base of every request and answer schema."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, validate_by_alias=True, validate_by_name=False, frozen=True
    )


class NoQuery(ApiModel):
    """An operation without query parameters."""


class PageQuery(ApiModel):
    """`?limit=&cursor=` of every list."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: str | None = None


class Problem(BaseModel):
    """RFC 9457 problem details, the body of every refusal."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, Any]] = []
    request_id: Annotated[str, Field(alias="requestId")]
