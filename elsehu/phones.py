"""Phone numbers: one canonical form per person for matching, E.164 for showing.

A WhatsApp account keeps the numbering plan of the day it was made, so one person appears under several
spellings (Meta Cloud API reference, section 14.4; Evolution reference, sections 4 and 8). The canonical
form is only for matching; what a provider gave us is kept beside it for sending.
"""

import re

import phonenumbers

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
    # Mexico's old `521…` is no number of today's plan: it is one in its canonical form.
    return _parsed(candidate, default_region) or (
        _parsed(to_e164(canonical(candidate)), None) if candidate.startswith("+") else None
    )


def _parsed(candidate: str, region: str | None) -> str | None:
    try:
        parsed = phonenumbers.parse(candidate, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return canonical(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
