import re
import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elsehu.media.names import LONGEST, SUFFIXES, content_disposition, safe_name
from elsehu.media.types import OCTETS

MIME_TYPES = st.sampled_from([*SUFFIXES, OCTETS, "text/html", "application/msword"])


@pytest.mark.parametrize(
    ("name", "mime_type", "expected"),
    [
        ("fatura março.pdf", "application/pdf", "fatura março.pdf"),
        ("photo.JPG", "image/jpeg", "photo.JPG"),
        ("photo.jpeg", "image/jpeg", "photo.jpeg"),
        ("photo.exe", "image/jpeg", "photo.exe.jpg"),
        ("photo", "image/png", "photo.png"),
        (None, "image/jpeg", "file.jpg"),
        ("", "audio/ogg", "file.ogg"),
        ("voice.oga", "audio/ogg", "voice.oga"),
        (None, OCTETS, "file"),
        ("setup.exe", "application/x-msdownload", "setup.exe"),
        ("notes.log", "text/plain", "notes.log"),
        ("notes", "text/plain", "notes.txt"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\Users\\ana\\nota.pdf", "application/pdf", "nota.pdf"),
        ("/", OCTETS, "file"),
        ("..", OCTETS, "file"),
        (".bashrc", OCTETS, "bashrc"),
        ("a\x00b\x01c\x7f.pdf", "application/pdf", "abc.pdf"),
        ("invoice\u202efdp.exe", OCTETS, "invoicefdp.exe"),
        ("a\r\nSet-Cookie: x.pdf", "application/pdf", "a Set-Cookie_ x.pdf"),
        ('say "hi"; filename=x.pdf', "application/pdf", "say _hi_; filename=x.pdf"),
        ("100%25.pdf", "application/pdf", "100_25.pdf"),
        ("v1.2 final", "image/png", "v1.2 final.png"),
        ("x" * 300 + ".pdf", "application/pdf", "x" * (LONGEST - 4) + ".pdf"),
        ("é" * 300 + ".pdf", "application/pdf", "é" * ((LONGEST - 4) // 2) + ".pdf"),
        ("name." + "x" * 300, OCTETS, ("name." + "x" * 300)[:LONGEST]),
        ("cafe\u0301.txt", "text/plain", "café.txt"),
    ],
)
def test_safe_name(name: str | None, mime_type: str, expected: str) -> None:
    assert safe_name(name, mime_type) == expected


@given(st.text(max_size=300), MIME_TYPES)
@example("\ud800.pdf", "application/pdf")
@example("a.\u0301", "image/png")
def test_any_name_becomes_a_safe_one(name: str, mime_type: str) -> None:
    safe = safe_name(name, mime_type)
    assert 0 < len(safe.encode()) <= LONGEST
    assert not set('/\\<>:"|?*%') & set(safe)
    assert all(unicodedata.category(character)[0] != "C" for character in safe)
    assert not safe.startswith(".")
    assert safe == safe.strip()
    assert safe_name(safe, mime_type) == safe


@given(st.text(max_size=300), MIME_TYPES, st.booleans())
def test_the_header_carries_the_name(name: str, mime_type: str, inline: bool) -> None:
    safe = safe_name(name, mime_type)
    header = content_disposition(safe, inline)
    assert header.isascii()
    assert header.isprintable()
    parts = re.fullmatch(r'(inline|attachment); filename="([^"]*)"(?:; filename\*=UTF-8\'\'(.*))?', header)
    assert parts is not None
    how, plain, extended = parts.groups()
    assert how == ("inline" if inline else "attachment")
    assert (plain if extended is None else unquote(extended)) == safe


def test_both_forms_of_the_header() -> None:
    assert content_disposition("plain.pdf", True) == 'inline; filename="plain.pdf"'
    assert (
        content_disposition("fatura março.pdf", False)
        == "attachment; filename=\"fatura mar_o.pdf\"; filename*=UTF-8''fatura%20mar%C3%A7o.pdf"
    )
