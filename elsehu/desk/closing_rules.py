"""What a tabulation itself demands of a closing. Pure; plugins' rules come after these."""

from collections.abc import Mapping
from typing import Any

import orjson

from elsehu.contracts.errors import FieldError
from elsehu.contracts.rules import Closing, Refusal


def missing(tabulation: Mapping[str, Any], closing: Closing) -> Refusal | None:
    """Refuse a closing that lacks fields or notes which the tabulation (its row) needs; None if all is there."""
    required = orjson.loads(tabulation["required_fields"])
    empty = [one for one in required if _is_empty(closing.fields.get(one["name"]))]
    needed = {f"fields.{one['name']}": one["label"] or one["name"] for one in empty}
    if tabulation["notes_required"] and _is_empty(closing.notes):
        needed["notes"] = "notes"
    if not needed:
        return None
    errors = [FieldError(field, "is needed for this tabulation") for field in needed]
    return Refusal(f"This tabulation needs more: {', '.join(needed.values())}.", errors)


def misplaced(tabulation: Mapping[str, Any], closing: Closing) -> Refusal | None:
    """Refuse the closing of a conversation on a number for which the tabulation is not meant."""
    numbers = tabulation["instance_ids"]
    if numbers is None or closing.instance_id in numbers:
        return None
    problem = FieldError("tabulationId", "is not meant for this number; see GET /api/tabulations?serviceInstanceId=…")
    return Refusal(f"{tabulation['name']} is not for conversations on this number.", [problem])


def _is_empty(value: Any) -> bool:
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())
