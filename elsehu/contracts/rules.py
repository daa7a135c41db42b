"""What the desk's rules are asked and what they answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from elsehu.contracts.errors import FieldError


@dataclass(frozen=True, slots=True)
class Closing:
    """A conversation about to be closed: which tabulation, with what notes and fields, by whom.

    `rule` is what the tabulation names for plugins to go by. The fields that it requires are there.
    """

    conversation_id: UUID
    instance_id: UUID
    tabulation_id: UUID
    tabulation_name: str
    notes: str | None
    fields: Mapping[str, Any] = field(default_factory=dict)
    user_id: UUID | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something may not be done, field by field."""

    detail: str
    errors: Sequence[FieldError] = ()
