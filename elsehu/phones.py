"""Phone numbers: one canonical form per person for matching, E.164 for showing.

A WhatsApp account keeps the numbering plan of the day it was made, so one person appears under several
spellings (Meta Cloud API reference, section 14.4; Evolution reference, sections 4 and 8). The canonical
form is only for matching; what a provider gave us is kept beside it for sending.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

_SIGNS = re.compile(r"\+?[0-9 ().\-]*")
NOTHING = "(?!)"
"""The pattern of what is never there."""

_NOT_DIGITS = re.compile(r"\D+")
BRAZIL_LANDLINE_FIRST_DIGITS = "2345"


def digits_of(text: str) -> str:
    """Return only the digits of `text`: `+55 (11) 9…` and `5511…@s.whatsapp.net` parts alike."""
    return _NOT_DIGITS.sub("", text)


def canonical(number: str) -> str:
    """Return the digits under which one person is matched, whatever plan the number was written in.

    Brazil: a 12-digit mobile gets its ninth digit. Mexico: the `1` after `52` goes. Argentina: the `9`
    after `54` comes. Any other number is its own canonical form.
    """
    digits = digits_of(number)
    if digits.startswith("55"):
        return _brazil(digits)
    if digits.startswith("521") and len(digits) == 13:
        return "52" + digits[3:]
    if digits.startswith("54") and len(digits) == 12:
        return "549" + digits[2:]
    return digits


def _brazil(digits: str) -> str:
    is_short_mobile = len(digits) == 12 and digits[4] not in "01" + BRAZIL_LANDLINE_FIRST_DIGITS
    return f"{digits[:4]}9{digits[4:]}" if is_short_mobile else digits


def to_e164(digits: str) -> str:
    """Return canonical `digits` as shown to people and frontends: `+` and the digits."""
    return "+" + digits


def parse_phone(text: str, default_region: str | None = None) -> str | None:
    """Return the canonical digits of a number typed by a person, or None where it cannot be a number.

    `default_region` (ISO 3166, e.g. `BR`) completes numbers typed without a country code; without it only
    international forms are accepted, with or without the leading `+`.
    """
    candidate = text.strip()
    if default_region is None and not candidate.startswith("+"):
        candidate = "+" + candidate
    if plain := _plain(candidate, default_region):
        return canonical(plain)
    # Mexico's old `521…` is no number of today's plan: it is one in its canonical form.
    return _parsed(candidate, default_region) or (
        _parsed(to_e164(canonical(candidate)), None) if candidate.startswith("+") else None
    )


def _plain(candidate: str, region: str | None) -> str | None:
    """Return the international digits of a number that needs no study, as nearly all do: about ten times quicker.

    What `phonenumbers` would do is then certain: nothing that may be a prefix is at its beginning, and its length is
    one that its country has. A test compares the two.
    """
    if not _SIGNS.fullmatch(candidate):
        return None
    digits = _NOT_DIGITS.sub("", candidate)
    if candidate.startswith("+"):
        plans = (plan for length in (1, 2, 3) if (plan := _plan_of_code(digits[:length])))
        plan = next(plans, None)
        return digits if plan and plan.has(digits[len(plan.code) :]) else None
    plan = _plan_of_region(region or "")
    if plan is None or plan.abroad.match(digits):
        return None
    if not digits.startswith(plan.code):
        return plan.code + digits if plan.has(digits) else None
    is_too_long = len(digits) > max(plan.lengths, default=0)  # to be one without its country code
    return digits if is_too_long and plan.has(digits[len(plan.code) :]) else None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a country's numbers look like: its calling code, how long the numbers behind it are, and what
    is dialled before them (`prefix`) or for other countries (`abroad`)."""

    code: str
    prefix: re.Pattern[str]
    abroad: re.Pattern[str]
    lengths: frozenset[int]

    def has(self, national: str) -> bool:
        """Tell whether these are the whole digits of a number within the country, certainly without a prefix."""
        return len(national) in self.lengths and national[0] != "0" and not self.prefix.match(national)


@lru_cache(maxsize=1024)
def _plan_of_code(code: str) -> _Plan | None:
    regions = None if code[:1] in ("", "0") else phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    return _plan_of_region(regions[0]) if regions else None


@lru_cache(maxsize=512)
def _plan_of_region(region: str) -> _Plan | None:
    about = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    if about is None or about.general_desc is None:
        return None
    prefix, abroad = (text or NOTHING for text in (about.national_prefix_for_parsing, about.international_prefix))
    lengths = frozenset(about.general_desc.possible_length)
    return _Plan(str(about.country_code), re.compile(prefix), re.compile(abroad), lengths)


def _parsed(candidate: str, region: str | None) -> str | None:
    try:
        parsed = phonenumbers.parse(candidate, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return canonical(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
