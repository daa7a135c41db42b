"""What contacts are searched by."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from elsehu.messaging.contacts.search import plain, search_text


def test_accents_and_case_do_not_matter() -> None:
    assert search_text("JOSÉ Conceição", "Zé", "+55 11 98888-7777", "Ze@Example.com") == (
        "jose conceicao ze 5511988887777 ze@example.com"
    )


@given(st.text() | st.text(st.characters(categories=["L", "M"])) | st.text("aéÃç ǅ\u0301\u0591\u0e48ﬁ"))
def test_no_accent_stays(text: str) -> None:
    decomposed = unicodedata.normalize("NFKD", text)
    assert plain(text) == "".join(one for one in decomposed if not unicodedata.combining(one)).casefold()
