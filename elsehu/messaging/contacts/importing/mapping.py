"""Which columns of a file hold what: as asked for, else as guessed."""

from collections.abc import Mapping, Sequence

from elsehu.contracts.errors import FieldError, Invalid
from elsehu.messaging.contacts.importing.schemas import MOST_FIELDS, ColumnMapping
from elsehu.sheets import Meaning, guess_columns

MOST_LISTED = 30
ROW, PROBLEM = "Row", "Problem"
"""The columns that failed rows get when they are handed back; such a file can be uploaded again as it is."""


def resolve(asked: ColumnMapping, columns: Sequence[str], sample: Sequence[Sequence[str]]) -> ColumnMapping:
    """Return a mapping in which nothing is left to be guessed.

    Raises Invalid: `unknown_column`, or `phone_column_missing` where nothing is or seems to be a phone.
    """
    _check_known(asked, columns)
    found: dict[str, str | None] = {name: getattr(asked, name) for name in asked.model_fields_set & set(Meaning)}
    taken = {*found.values(), *(asked.custom or {}).values(), ROW, PROBLEM}
    free = [place for place, name in enumerate(columns) if name not in taken]
    guessed = guess_columns([columns[place] for place in free], [[row[place] for place in free] for row in sample])
    for meaning in Meaning:
        found.setdefault(meaning, guessed.get(meaning))
    if found[Meaning.PHONE] is None:
        raise _no_phone(columns)
    rest = [name for name in columns if name not in {*found.values(), ROW, PROBLEM}]
    custom = (asked.custom or {}) if "custom" in asked.model_fields_set else _as_fields(rest)
    return ColumnMapping.model_validate({**found, "custom": custom})


def _as_fields(columns: Sequence[str]) -> dict[str, str]:
    """Return own fields called as the headings; of more columns than a contact may have fields, the first."""
    return {name[:200]: name for name in columns[:MOST_FIELDS]}


def _check_known(asked: ColumnMapping, columns: Sequence[str]) -> None:
    named: Mapping[str, str | None] = {
        **{f"mapping.{meaning}": getattr(asked, meaning) for meaning in Meaning},
        **{f"mapping.custom.{name}": column for name, column in (asked.custom or {}).items()},
    }
    unknown = {place: column for place, column in named.items() if column is not None and column not in columns}
    if unknown:
        errors = [FieldError(place, f"the file has no column {column!r}") for place, column in unknown.items()]
        missing = ", ".join(sorted({repr(column) for column in unknown.values()}))
        detail = f"The file has no column {missing}; its columns are: {_listed(columns)}"
        raise Invalid("unknown_column", detail, errors=errors)


def _no_phone(columns: Sequence[str]) -> Invalid:
    detail = f"No column seems to hold phone numbers; say in `mapping` which does. The columns are: {_listed(columns)}"
    return Invalid(
        "phone_column_missing", detail, errors=[FieldError("mapping.phone", "name the column of the phones")]
    )


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns[:MOST_LISTED]) + ("." if len(columns) <= MOST_LISTED else ", …")
