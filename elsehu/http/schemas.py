"""Bases of what the API takes and gives: camelCase in JSON, snake_case in Python, unknown fields refused."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


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
