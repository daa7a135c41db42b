import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsehu.contracts.message import Kind
from elsehu.media.types import ACTIVE, OCTETS, SNIFF_BYTES, canonical, detect, fits, kind_of, served_as, shown_inline

PAD = bytes(300)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"


def zip_of(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x" * 50)
    return file.getvalue()[:SNIFF_BYTES]


def office(folder: str) -> bytes:
    return zip_of("[Content_Types].xml", "_rels/.rels", f"{folder}/document.xml")


def mp4(brand: str) -> bytes:
    return b"\0\0\0\x18ftyp" + brand.encode() + b"\0\0\0\0mp42isom" + PAD


OGG = b"OggS\0\x02" + bytes(20) + b"\x01\x13OpusHead" + PAD
WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm" + PAD
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


@pytest.mark.parametrize(
    ("head", "declared", "expected"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF" + PAD, "", "image/jpeg"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF" + PAD, "image/png", "image/jpeg"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF" + PAD, "text/html", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + PAD, "", "image/png"),
        (b"GIF89a" + PAD, "", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 " + PAD, "image/jpeg", "image/webp"),
        (OGG, "audio/ogg; codecs=opus", "audio/ogg"),
        (mp4("isom"), "", "video/mp4"),
        (mp4("iso5"), "", "video/mp4"),
        (mp4("mp42"), "audio/mp4", "audio/mp4"),
        (mp4("M4A "), "video/mp4", "audio/mp4"),
        (mp4("3gp4"), "video/3gpp", "video/3gpp"),
        (WEBM, "", "video/webm"),
        (WEBM, "audio/webm;codecs=opus", "audio/webm"),
        (b"\xff\xfb\x90\x64" + PAD, "", "audio/mpeg"),
        (b"ID3\x03" + PAD, "", "audio/mpeg"),
        (b"\xff\xf1\x50\x80" + PAD, "", "audio/aac"),
        (b"#!AMR\n" + PAD, "", "audio/amr"),
        (b"RIFF\x24\0\0\0WAVEfmt " + PAD, "", "audio/wav"),
        (b"%PDF-1.7\nplain text only", "", "application/pdf"),
        (office("word"), "", DOCX),
        (office("xl"), "", XLSX),
        (office("ppt"), "", PPTX),
        (zip_of("a.txt"), "", "application/zip"),
        (zip_of("a.txt"), XLSX, XLSX),
        (zip_of("a.txt"), "image/png", "application/zip"),
        (zip_of("a.txt"), "text/html", "application/zip"),
        (OLE, "application/msword", "application/msword"),
        (OLE, "application/x-msdownload", "application/x-ole-storage"),
        (b"{\\rtf1\\ansi hello}", "", "application/rtf"),
        (b"MZ" + PAD, "image/jpeg", "application/x-msdownload"),
        (b"MZ Consultoria envia o texto", "", "text/plain"),
        (b"BM is a company, and this is text", "", "text/plain"),
        (b"nome;telefone\nAna;11988887777\n", "text/csv", "text/csv"),
        ("relatório".encode(), "", "text/plain"),
        ("relatório".encode("cp1252"), "", "text/plain"),
        ("é".encode()[:1] * 1, "", "text/plain"),
        (b"BEGIN:VCARD\r\nVERSION:3.0\r\nEND:VCARD", "text/x-vcard", "text/vcard"),
        (b"<!DOCTYPE html><p>hi", "text/plain", "text/html"),
        (b"\n\n  <script>alert(1)</script>", "image/png", "text/html"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/png", "image/svg+xml"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "", "image/svg+xml"),
        (b'<?xml version="1.0"?><nota/>', "", "application/xml"),
        (b"alert(1)", "text/javascript", "text/plain"),
        (b"", "image/png", OCTETS),
        (bytes(100), "image/png", OCTETS),
        (b"\x00\x01\x02\x03unknown", "application/x-something", OCTETS),
    ],
)
def test_detect(head: bytes, declared: str, expected: str) -> None:
    assert detect(head, declared) == expected


@given(st.binary(max_size=200), st.text(max_size=60))
def test_any_bytes_have_a_type_that_fits_the_column(head: bytes, declared: str) -> None:
    found = detect(head, declared)
    assert canonical(found) == found
    assert len(found) <= 127


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Z"])), st.sampled_from(["image/png", "video/mp4"]))
def test_text_is_never_taken_for_a_picture(text: str, declared: str) -> None:
    assert not detect(text.encode(), declared).startswith(("image/p", "image/j", "image/w", "video/"))


@given(st.text(max_size=200))
def test_a_declared_type_is_brought_into_shape(declared: str) -> None:
    assert canonical(canonical(declared)) == canonical(declared)
    assert canonical(declared).isascii()


@pytest.mark.parametrize(
    ("mime_type", "kind", "inline", "served"),
    [
        ("image/jpeg", Kind.IMAGE, True, "image/jpeg"),
        ("image/webp", Kind.IMAGE, True, "image/webp"),
        ("image/heic", Kind.DOCUMENT, False, "image/heic"),
        ("image/svg+xml", Kind.DOCUMENT, False, OCTETS),
        ("text/html", Kind.DOCUMENT, False, OCTETS),
        ("application/xml", Kind.DOCUMENT, False, OCTETS),
        ("audio/ogg", Kind.AUDIO, True, "audio/ogg"),
        ("video/mp4", Kind.VIDEO, True, "video/mp4"),
        ("application/pdf", Kind.DOCUMENT, True, "application/pdf"),
        ("text/plain", Kind.DOCUMENT, True, "text/plain; charset=utf-8"),
        ("text/csv", Kind.DOCUMENT, False, "text/csv"),
        ("application/zip", Kind.DOCUMENT, False, "application/zip"),
        (OCTETS, Kind.DOCUMENT, False, OCTETS),
    ],
)
def test_what_a_type_means(mime_type: str, kind: Kind, inline: bool, served: str) -> None:
    assert (kind_of(mime_type), shown_inline(mime_type), served_as(mime_type)) == (kind, inline, served)
    assert fits(mime_type, kind)
    assert fits(mime_type, Kind.DOCUMENT)


def test_only_webp_is_a_sticker() -> None:
    assert fits("image/webp", Kind.STICKER)
    assert not fits("image/png", Kind.STICKER)
    assert not fits("application/pdf", Kind.IMAGE)


def test_nothing_active_is_shown() -> None:
    assert not [mime_type for mime_type in ACTIVE if shown_inline(mime_type) or served_as(mime_type) != OCTETS]
