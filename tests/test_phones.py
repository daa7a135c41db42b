"""One person's number in all its spellings (Meta Cloud API reference, section 14.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
