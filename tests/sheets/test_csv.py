"""CSV as people send it: any delimiter, encoding and line end."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsehu.contracts.errors import DomainError
from elsehu.sheets import Limits, csv_lines, open_sheet

PHONE = "+5511999990001"
FILES = [
    ("semicolons", b"nome;fone\nAna;1\n", [("Ana", "1")]),
    ("commas", b"nome,fone\nAna,1\n", [("Ana", "1")]),
    ("tabs", b"nome\tfone\nAna\t1\n", [("Ana", "1")]),
    ("bars", b"nome|fone\nAna|1\n", [("Ana", "1")]),
    ("Excel's declaration", b"sep=|\r\nnome|fone\r\nAna;x|1\r\n", [("Ana;x", "1")]),
    ("commas in semicolons", b"nome;fone\nSilva, Ana;1\nSouza, Eva;2\n", [("Silva, Ana", "1"), ("Souza, Eva", "2")]),
    ("semicolons in quotes", b'nome,fone\n"a;b;c",1\n"d;e;f",2\n', [("a;b;c", "1"), ("d;e;f", "2")]),
    ("UTF-8", "nome;fone\nJosé;1\n".encode(), [("José", "1")]),
    ("a BOM", "nome;fone\nJosé;1\n".encode("utf-8-sig"), [("José", "1")]),
    ("UTF-16", "nome;fone\nJosé;1\n".encode("utf-16"), [("José", "1")]),
    ("UTF-16, the other end first", b"\xfe\xff" + "nome;fone\nJosé;1\n".encode("utf-16-be"), [("José", "1")]),
    ("UTF-16 without BOM", "nome;fone\nJosé;1\n".encode("utf-16-le"), [("José", "1")]),
    ("Windows-1252", "nome;fone\nJosé Conceição €;1\n".encode("cp1252"), [("José Conceição €", "1")]),
    ("quoted newlines", b'nome;fone\n"Ana\r\nMaria\n2";1\n', [("Ana\r\nMaria\n2", "1")]),
    ("doubled quotes", b'nome;fone\n"Ana ""Nina"" Reis";1\n', [('Ana "Nina" Reis', "1")]),
    ("a quote that quotes nothing", b'nome;fone\nTV 5" nova;1\nEva;2\n', [('TV 5" nova', "1"), ("Eva", "2")]),
    ("old Mac's line ends", b"nome;fone\rAna;1\rEva;2", [("Ana", "1"), ("Eva", "2")]),
    ("short and long rows", b"nome;fone\nAna\nEva;2;x\nIda;3;;\n", [("Ana", ""), ("Eva", "2", "x"), ("Ida", "3")]),
    ("NULs", b"nome;fone\nA\0na;1\n" + b"Eva;2\n" * 40, [("Ana", "1"), *[("Eva", "2")] * 40]),
    ("an undone formula", f"nome;fone\n'=SUM(1);'{PHONE}\n".encode(), [("=SUM(1)", PHONE)]),
]


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file.csv"
    path.write_bytes(content)
    return path


def cells(path: Path, limits: Limits | None = None) -> list[tuple[str, ...]]:
    with open_sheet(path, limits or Limits()) as sheet:
        return [row.cells for row in sheet.rows]


@pytest.mark.parametrize(("content", "rows"), [one[1:] for one in FILES], ids=[one[0] for one in FILES])
def test_files_as_people_send_them(tmp_path: Path, content: bytes, rows: list[tuple[str, ...]]) -> None:
    assert cells(written(tmp_path, content)) == rows


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    path = written(tmp_path, b'\n;;\nnome;fone\n\n"Ana\nMaria";1\n  ;\n\nEva;2\n')
    with open_sheet(path) as sheet:
        assert sheet.columns == ["nome", "fone"]
        assert [(row.number, row.cells[0]) for row in sheet.rows] == [(5, "Ana\nMaria"), (8, "Eva")]


def test_headings_are_told_apart(tmp_path: Path) -> None:
    with open_sheet(written(tmp_path, b"\xef\xbb\xbfNome; nome  todo;;Nome;Nome;Nome (2)\n1;2;3;4;5;6\n")) as sheet:
        assert sheet.columns == ["Nome", "nome todo", "Column 3", "Nome (2)", "Nome (3)", "Nome (2) (2)"]
        assert sheet.has_heading


def test_a_first_row_with_a_phone_is_no_heading(tmp_path: Path) -> None:
    with open_sheet(written(tmp_path, b"Ana;(11) 99999-0001\nEva;(11) 99999-0002\n")) as sheet:
        assert (sheet.columns, sheet.has_heading) == (["Column 1", "Column 2"], False)
        assert [row.number for row in sheet.rows] == [1, 2]


def test_two_hundred_columns(tmp_path: Path) -> None:
    names = [f"campo {place}" for place in range(200)]
    path = written(tmp_path, ";".join(names).encode() + b"\n" + ";".join(map(str, range(200))).encode())
    with open_sheet(path) as sheet:
        assert sheet.columns == names
        assert next(sheet.rows).cells[199] == "199"


REFUSED = [
    ("nothing", b"", "file_empty"),
    ("nothing but lines", b"\n;;\n  \n", "file_empty"),
    ("a quote that never closes", b'nome;fone\nAna;1\n"Eva;2\nIda;3\n', "quote_unclosed"),
    ("a cell without end", b"nome;fone\n" + b"x" * 40_000 + b";1\n", "cell_too_long"),
    ("a quoted cell without end", b'nome;fone\n"' + b"x\n" * 400_000, "cell_too_long"),
    ("a line without end", b"nome;fone\n" + b"x;" * 3_000_000, "cell_too_long"),
    ("a row without end", b"nome;fone\n" + b";".join([b"x" * 1000] * 200), "row_too_long"),
    ("too many columns", b";".join([b"x"] * 501), "too_many_columns"),
    ("too many rows", b"nome\n" + b"Ana\n" * 1001, "too_many_rows"),
    ("a picture", b"\x89PNG\r\n\x1a\n" + bytes(1000), "file_not_a_table"),
    ("a PDF", b"%PDF-1.7\n", "file_not_a_table"),
    ("a web page", b"<!doctype html><table></table>", "file_not_a_table"),
    ("something else", bytes(range(256)) * 8, "file_not_a_table"),
    ("too much", b"nome\n" + b"Ana\n" * 3_000_000, "too_large"),
]


@pytest.mark.parametrize(("content", "code"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED])
def test_refusals(tmp_path: Path, content: bytes, code: str) -> None:
    with pytest.raises(DomainError) as refused:
        cells(written(tmp_path, content), Limits(bytes=10_000_000, rows=1000))
    assert refused.value.code == code


def test_a_quote_that_never_closes_is_shown(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="row 3"):
        cells(written(tmp_path, b'nome;fone\nAna;1\n"Eva;2\nIda;3\n'))


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
DANGEROUS = st.text("=+-@\t\r\n'＝＋－＠;,|\" 1a", max_size=5)
WIDTHS = st.integers(1, 5)
TABLES = WIDTHS.flatmap(lambda width: st.lists(st.lists(CELLS | DANGEROUS, min_size=width, max_size=width), max_size=6))


@given(TABLES, st.sampled_from(",;\t|"), st.booleans())
def test_what_we_write_we_read(
    tmp_path_factory: pytest.TempPathFactory, table: list, delimiter: str, bom: bool
) -> None:
    header = [f"column {place}" for place in range(len(table[0]) if table else 1)]
    text = "".join(csv_lines(header, table, bom=bom, delimiter=delimiter))
    path = written(tmp_path_factory.getbasetemp(), text.encode())
    with open_sheet(path) as sheet:
        assert sheet.columns == header
        read = [list(row.cells) for row in sheet.rows]
    # Cells of spaces at the end of a row are as good as none.
    assert [_trimmed(row) for row in read] == [_trimmed(row) for row in table if _trimmed(row)]


def _trimmed(row: list[str]) -> list[str]:
    while row and not row[-1].strip():
        row = row[:-1]
    return row


@given(st.lists(DANGEROUS, min_size=1, max_size=3))
def test_no_program_calculates_what_we_write(row: list[str]) -> None:
    *_, line = csv_lines(["x"] * len(row), [row])
    for cell in next(csv.reader(io.StringIO(line, newline=""))):
        assert cell[:1] not in set("=+-@\t\r\n＝＋－＠")
