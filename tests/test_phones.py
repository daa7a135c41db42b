"""One person's number in all its spellings (Meta Cloud API reference, section 14.4)."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsehu import phones
from elsehu.phones import canonical, parse_phone

ONE_PERSON = [
    ("Brazil, mobile without its ninth digit", "554899990001", "5548999990001"),
    ("Brazil, mobile with it", "5548999990001", "5548999990001"),
    ("Brazil, mobile that began with 6", "551161234567", "5511961234567"),
    ("Brazil, landline", "551132345678", "551132345678"),
    ("Brazil, a mobile that would be a landline without its 9", "5511941234567", "5511941234567"),
    ("Mexico, with the old 1", "5215512345678", "525512345678"),
    ("Mexico, without it", "525512345678", "525512345678"),
    ("Mexico, a 1 that belongs to the number", "521234567890", "521234567890"),
    ("Argentina, without the 9", "541112345678", "5491112345678"),
    ("Argentina, with it", "5491112345678", "5491112345678"),
    ("any other country", "12025550143", "12025550143"),
    ("as people write it", "+44 7700 900-123", "447700900123"),
]


@pytest.mark.parametrize(("given", "matched"), [one[1:] for one in ONE_PERSON], ids=[one[0] for one in ONE_PERSON])
def test_one_person_has_one_canonical_number(given: str, matched: str) -> None:
    assert canonical(given) == matched


@given(st.from_regex(r"\A(55|52|54|1|44)[0-9]{8,12}\Z"))
def test_the_canonical_form_is_its_own(number: str) -> None:
    assert canonical(canonical(number)) == canonical(number)


TYPED = [
    ("0 11 15 2345-6789", "AR", "5491123456789"),
    ("+54 9 11 2345-6789", None, "5491123456789"),
    ("+54 11 2345-6789", None, "5491123456789"),
    ("(48) 99999-0001", "BR", "5548999990001"),
    ("+52 1 55 1234 5678", None, "525512345678"),
    ("55 1234 5678", "MX", "525512345678"),
    ("nobody", "BR", None),
]


@pytest.mark.parametrize(("typed", "region", "digits"), TYPED)
def test_typed_numbers(typed: str, region: str | None, digits: str | None) -> None:
    assert parse_phone(typed, region) == digits


REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
DIGITS = st.text("0123456789", min_size=1, max_size=15)
BRAZILIAN = st.from_regex(r"\A[1-9][0-9]9?[0-9]{8}\Z")
INTERNATIONAL = st.builds("+{}{}".format, st.sampled_from(["", "0", *CODES]), DIGITS | BRAZILIAN)
EXAMPLES = st.sampled_from(REGIONS).map(phonenumbers.example_number).filter(bool)
WRITTEN = EXAMPLES.flatmap(
    lambda number: st.sampled_from([phonenumbers.format_number(number, form) for form in (0, 1, 2)])
)
SIGNS = st.text(" ().-", max_size=2)


@given(INTERNATIONAL | DIGITS | BRAZILIAN | WRITTEN, st.sampled_from(["BR", "BR", None, *REGIONS]), SIGNS, SIGNS)
def test_the_quick_way_finds_what_the_library_finds(number: str, region: str | None, before: str, within: str) -> None:
    text = (before if region else "") + number[:5] + within + number[5:]
    candidate = text.strip() if region or text.startswith("+") else "+" + text.strip()
    quick = phones._plain(candidate, region)
    assert quick is None or canonical(quick) == phones._parsed(candidate, region)


@pytest.mark.parametrize(
    "text", ["+5511999990001", "5511999990001", "(11) 99999-0001", "+55 48 9999-0001", "+12025550143"]
)
def test_what_people_mostly_write_is_quick(text: str) -> None:
    assert phones._plain(text, "BR")
