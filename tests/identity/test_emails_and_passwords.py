"""The spelling of addresses and the rules for passwords."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsehu.contracts.errors import Invalid
from elsehu.identity.emails import as_typed_at_login, normalise_email
from elsehu.identity.passwords import Verifier, check_password, hash_password
from elsehu.settings import SecuritySettings

CHEAP = SecuritySettings(argon2_memory_kib=1024, argon2_time=1)


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("maria@example.com", "maria@example.com"),
        (" Maria.Silva@EXAMPLE.com\n", "Maria.Silva@example.com"),
        ("josé@exämple.com", "josé@exämple.com"),
        ("jose\u0301@example.com", "josé@example.com"),
        ("admin@localhost", "admin@localhost"),
        ("Admin@Desk.LOCAL", "Admin@desk.local"),
    ],
)
def test_an_address_has_one_spelling(typed: str, normal: str) -> None:
    assert normalise_email(typed) == normal == normalise_email(normal) == as_typed_at_login(typed)


@pytest.mark.parametrize(
    "typed",
    ["", "maria", "@example.com", "maria@", "a b@example.com", "a@b", "a@-.local", "a\x00@example.com", "a@.local"],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="is not an e-mail address"):
        normalise_email(typed)
    assert as_typed_at_login(typed) == typed.strip()


@given(st.text(max_size=60) | st.emails())
def test_any_text_is_an_address_in_one_spelling_or_none(typed: str) -> None:
    try:
        normal = normalise_email(typed)
    except ValueError:
        return
    assert normalise_email(normal) == normal


@pytest.mark.parametrize("password", ["a" * 10, "correct horse", "ä" * 500, "0123456789", "          "])
def test_a_long_enough_password_will_do(password: str) -> None:
    check_password(CHEAP, password, "maria@example.com")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "at least 10"),
        ("a" * 9, "at least 10"),
        ("ä" * 501, "at most 1000 bytes"),
        ("Maria@Example.com", "e-mail"),
    ],
)
def test_a_password_that_will_not_do_is_told_why(password: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as refused:
        check_password(CHEAP, password, "maria@example.com", "newPassword")
    assert [error.field for error in refused.value.errors] == ["newPassword"]


@given(st.text(max_size=40), st.text(max_size=40))
async def test_only_the_password_itself_is_right(password: str, other: str) -> None:
    verifier = Verifier(CHEAP)
    stored = await hash_password(CHEAP, password)
    assert await verifier.verify(stored, password)
    assert not await verifier.verify(stored, password + "x")
    assert not await verifier.verify(None, password)
    assert password not in stored or len(password) < 3
    assert stored != await hash_password(CHEAP, password)


@pytest.mark.parametrize("stored", ["", "plain text", "$argon2id$v=19$m=1024,t=1,p=4$broken"])
async def test_a_broken_hash_is_never_right(stored: str) -> None:
    assert not await Verifier(CHEAP).verify(stored, "anything")
