"""Workbooks, as programs write them and as attackers do."""

import subprocess
import sys
import zlib
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from elsehu.contracts.errors import DomainError
from elsehu.sheets import Limits, open_sheet
from elsehu.sheets.xlsx.cells import date_text, number_text
from elsehu.sheets.xlsx.workbook import is_date_format

from .workbooks import ROOT, WORKBOOK, text, worksheet, write_workbook

FILES = Path(__file__).parent / "files"
SMALL = Limits(rows=1000, inflated_bytes=4_000_000)


def rows(path: Path, limits: Limits = SMALL) -> list[tuple[str, ...]]:
    with open_sheet(path, limits) as sheet:
        return [tuple(sheet.columns), *(row.cells for row in sheet.rows)]


@pytest.mark.parametrize("program", ["openpyxl", "xlsxwriter"])
def test_workbooks_as_programs_write_them(program: str) -> None:
    with open_sheet(FILES / f"{program}.xlsx") as sheet:
        assert [*sheet.columns] == ["Nome", "Telefone", "Nascimento", "Visto", "Hora", "Saldo", "Ativo", "Vazio"]
        first, second = sheet.rows
    seen = "2024-02-29 14:30:05"
    assert (first.number, first.cells[:7]) == (
        2, ("José da Silva", "5511999990001", "1990-03-05", seen, "07:05:00", "0.1", "TRUE")
    )  # fmt: skip
    assert (second.number, second.cells[:7]) == (
        4, ("Ana\nMaria", "+5511999990002", "1900-03-01", "2025-01-01", "23:59:59", "1234567.891", "FALSE")
    )  # fmt: skip


NUMBERS = [
    ("5511999990000", "5511999990000"),
    ("5.5119999900001E+12", "5511999990000.1"),
    ("5.51199999E12", "5511999990000"),
    ("5511999990000.0", "5511999990000"),
    ("0.10000000000000001", "0.1"),
    ("-3", "-3"),
    ("1E999999999", "1E999999999"),
    ("nan", "nan"),
    ("#REF!", "#REF!"),
]


@pytest.mark.parametrize(("raw", "shown"), NUMBERS)
def test_numbers(raw: str, shown: str) -> None:
    assert number_text(raw) == shown


DATES = [
    ("1", False, "1900-01-01"),
    ("59", False, "1900-02-28"),
    ("61", False, "1900-03-01"),
    ("0", True, "00:00:00"),
    ("45351.604224537", False, "2024-02-29 14:30:05"),
    ("43889.604224537", True, "2024-02-29 14:30:05"),
    ("2958465.9999999", False, "9999-12-31 23:59:59.9"),
    ("99999999", False, "99999999"),
    ("-1", False, "-1"),
    ("nan", False, "nan"),
]


@pytest.mark.parametrize(("raw", "from_1904", "shown"), DATES)
def test_dates(raw: str, from_1904: bool, shown: str) -> None:
    assert date_text(raw, from_1904=from_1904)[:19] == shown[:19]


FORMATS = [
    ("dd/mm/yyyy", True),
    ("[h]:mm", True),
    ("[$-416]d \"de\" mmmm", True),
    ("0.00", False),
    ('#,##0 "dias"', False),
    ("[Red]0;[Blue]-0", False),
    ("General", False),
    ("\\d0", False),
]  # fmt: skip


@pytest.mark.parametrize(("code", "is_date"), FORMATS)
def test_formats(code: str, is_date: bool) -> None:
    assert is_date_format(code) is is_date


def test_shared_strings_with_runs_readings_and_escapes(tmp_path: Path) -> None:
    runs = "<r><t>A</t></r><r><t>na</t></r><rPh><t>X</t></rPh>"
    strings = f"<sst><si><t>Nome</t></si><si>{runs}</si><si><t>a_x0041__x0000__xD800_</t></si></sst>"
    sheet = worksheet('<c t="s"><v>0</v></c>', '<c t="s"><v> 1 </v></c>', '<c t="s"><v>2</v></c>')
    assert rows(write_workbook(tmp_path / "a.xlsx", sheet, sharedStrings=strings)) == [("Nome",), ("Ana",), ("aA",)]


def test_prefixes_places_and_gaps(tmp_path: Path) -> None:
    sheet = """<x:worksheet xmlns:x="m"><x:sheetData><x:row r="3"><x:c r="B3" t="str"><x:v>Nome</x:v></x:c></x:row>
    <x:row r="7"><x:c r="B7" t="str"><x:f>IGNORED()</x:f><x:v>Ana</x:v></x:c><x:c r="A7"><x:v>1</x:v></x:c></x:row>
    </x:sheetData></x:worksheet>"""
    with open_sheet(write_workbook(tmp_path / "a.xlsx", sheet)) as opened:
        assert opened.columns == ["Column 1", "Nome"]
        assert [(row.number, row.cells) for row in opened.rows] == [(7, ("1", "Ana"))]


MANY = 100_000
HOSTILE_SHEETS = [
    ("no XML", "<worksheet><row>", "file_damaged"),
    ("entities", "<!DOCTYPE a [<!ENTITY b 'bbbb'>]><worksheet>&b;</worksheet>", "file_damaged"),
    ("an encoding that is none", "<?xml version='1.0' encoding='UEF-8'?><worksheet/>", "file_damaged"),
    ("elements in elements", "<worksheet>" + "<a>" * MANY, "file_damaged"),
    ("a tag without end", "<worksheet><a b='" + "b" * 2_000_000, "file_damaged"),
    ("a name for each element", "<worksheet>" + "".join(f"<a{n}/>" for n in range(MANY)), "file_damaged"),
    ("a text without end", worksheet(text("a" * 3_000_000)), "cell_too_long"),
    ("a shared string that is not there", worksheet('<c t="s"><v>7</v></c>'), "file_damaged"),
    ("a cell nowhere", worksheet('<c r="77"><v>7</v></c>'), "file_damaged"),
    ("a cell far away", worksheet('<c r="XFD1"><v>7</v></c>'), "too_many_columns"),
    ("too many rows", worksheet(*[text("a")] * 1002), "too_many_rows"),
    ("empty rows without end", f"<worksheet>{'<row/>' * MANY}</worksheet>", "file_empty"),
    ("an empty sheet", worksheet(), "file_empty"),
    ("a row of nothing but one text", worksheet('<c t="s"><v>0</v></c>' * 5), "row_too_long"),
    ("a table of nothing but one text", worksheet(*['<c t="s"><v>0</v></c>' * 3] * 50), "file_inflates"),
    ("names without end", "<worksheet>" + "".join(f"<{'a' * 9000}{n}/>" for n in range(40)), "file_damaged"),
    ("a place without end", worksheet(f'<c r="{"A" * 90_000}1"><v>7</v></c>'), "file_damaged"),
    ("a number without end", worksheet(f'<c t="s"><v>{"1" * 9000}</v></c>'), "file_damaged"),
    ("more than it may inflate to", b" " * 5_000_000, "file_inflates"),
]


@pytest.mark.parametrize(("sheet", "code"), [one[1:] for one in HOSTILE_SHEETS], ids=[one[0] for one in HOSTILE_SHEETS])
def test_hostile_worksheets(tmp_path: Path, sheet: str | bytes, code: str) -> None:
    strings = f"<sst><si><t>{'a' * 32_000}</t></si></sst>"
    assert refusal(write_workbook(tmp_path / "a.xlsx", sheet, sharedStrings=strings)) == code


def refusal(path: Path, limits: Limits = SMALL) -> str:
    with pytest.raises(DomainError) as refused:
        rows(path, limits)
    return refused.value.code


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OTHER_FILES = [
    ("an old Excel file", OLE + bytes(2000), "file_old_excel"),
    ("one with a password", OLE + bytes(500) + "EncryptedPackage".encode("utf-16-le"), "file_encrypted"),
    ("a broken zip", b"PK\x03\x04" + bytes(200), "file_damaged"),
    ("half a workbook", (FILES / "openpyxl.xlsx").read_bytes()[:3000], "file_damaged"),
    (
        "a changed byte",
        (FILES / "openpyxl.xlsx").read_bytes().replace(b"\x00\x08\x00", b"\x00\x07\x00"),
        "file_damaged",
    ),
]


@pytest.mark.parametrize(("content", "code"), [one[1:] for one in OTHER_FILES], ids=[one[0] for one in OTHER_FILES])
def test_other_files(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    assert refusal(path) == code


def test_other_zips(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("content.xml", "<office/>")
    assert refusal(tmp_path / "other.zip") == "file_not_a_table"
    hidden = WORKBOOK.replace("<sheet ", '<sheet state="veryHidden" ')
    assert refusal(write_workbook(tmp_path / "hidden.xlsx", worksheet(text("a")), workbook=hidden)) == "file_empty"
    with ZipFile(tmp_path / "slow.zip", "w", ZIP_BZIP2) as archive:
        archive.writestr("_rels/.rels", ROOT)
    assert refusal(tmp_path / "slow.zip") == "file_damaged"
    with ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(15_000):
            archive.writestr(f"{number:060}", b"")
    assert refusal(tmp_path / "many.zip") == "file_damaged"


def bomb(path: Path, part: str, head: bytes, unit: bytes, *, declared: int) -> Path:
    """Write a workbook of which the part inflates to a gigabyte of `unit`; it says that it is `declared` bytes.

    The same compressed MiB again and again: after a full flush it refers to nothing before it.
    """
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    begin = deflate.compress(head) + deflate.flush(zlib.Z_FULL_FLUSH)
    once = deflate.compress(unit * (2**20 // len(unit))) + deflate.flush(zlib.Z_FULL_FLUSH)
    raw = begin + once * 1024 + deflate.flush()
    with ZipFile(write_workbook(path, worksheet(text("a"))), "a") as archive:
        info = ZipInfo(f"xl/{part}.xml")
        info.compress_type, info.compress_size, info.file_size = ZIP_DEFLATED, len(raw), declared
        info.header_offset, info.CRC = archive.start_dir, 0
        archive.fp.seek(archive.start_dir)
        archive.fp.write(info.FileHeader(zip64=False) + raw)
        archive.start_dir = archive.fp.tell()
        archive.filelist.append(info)
        archive._didModify = True
    return path


LOOK = """
import resource, sys
from pathlib import Path
from elsehu.contracts.errors import DomainError
from elsehu.sheets import Limits, open_sheet
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[1:]:
    try:
        with open_sheet(Path(name), Limits(inflated_bytes=64 * 2**20)) as sheet:
            for _ in sheet.rows: pass
    except DomainError as error:
        print(error.code)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
UNITS = {
    "sharedStrings": (b"<sst>", b"<si><t>aaaaaaa</t></si>         "),
    "worksheets/sheet1": (b"<worksheet><sheetData>", b"<row></row>     "),
    "styles": (b"<styleSheet><cellXfs>", b"<xf numFmtId='14'/>             "),
}


def test_bombs_of_a_gigabyte_are_refused_before_memory_is_spent(tmp_path: Path) -> None:
    honest = [bomb(tmp_path / f"{n}.xlsx", part, *UNITS[part], declared=2**30) for n, part in enumerate(UNITS)]
    lying = [bomb(tmp_path / f"{n + 3}.xlsx", part, *UNITS[part], declared=2**22) for n, part in enumerate(UNITS)]
    endless = bomb(tmp_path / "6.xlsx", "worksheets/sheet1", b"<worksheet><c><v>", b"1" * 1024, declared=2**22)
    command = [sys.executable, "-c", LOOK, *honest, *lying, endless]
    *codes, kibibytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert codes == ["file_inflates"] * 3 + ["file_damaged"] * 4
    assert int(kibibytes) < 64 * 1024, kibibytes
