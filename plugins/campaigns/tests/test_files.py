"""Lists as people have them: whatever their program wrote, the report says what will come of each row."""

import csv
import io
from typing import Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

import httpx
import pytest
from elsehu_campaigns.files.storing import expire

from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import RunningServer

PEOPLE = "Nome;Celular;Cidade\r\nMaria;11988887777;São Paulo\r\nJoão;(85) 98888-7777;Fortaleza\r\n"
MARIA, JOAO = "+5511988887777", "+5585988887777"


async def upload(client: ApiClient, content: bytes | str, name: str = "people.csv", **query: str) -> httpx.Response:
    data = content.encode() if isinstance(content, str) else content
    return await client.http.post("/api/campaigns/upload", files={"file": (name, data, "text/csv")}, params=query)


async def reported(client: ApiClient, content: bytes | str, **query: str) -> dict[str, Any]:
    answer = await upload(client, content, **query)
    assert answer.status_code == 201, answer.text
    report: dict[str, Any] = answer.json()
    counted = report["valid"] + report["invalid"] + report["duplicates"] + report["optedOut"]
    assert counted == report["rows"], "every row is one of the four"
    return report


def phones(report: dict[str, Any]) -> list[str | None]:
    return [row["phone"] for row in report["sample"]]


def read_csv(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


async def test_a_list_is_reported_on_whatever_wrote_it(admin: ApiClient) -> None:
    comma, tab = PEOPLE.replace(";", ","), PEOPLE.replace(";", "\t")
    for content in (
        PEOPLE,
        comma,
        tab,
        "\ufeff" + PEOPLE,
        PEOPLE.encode("cp1252"),
        PEOPLE.encode("utf-16"),
        PEOPLE.replace("\r\n", "\n"),
        PEOPLE.replace("\r\n", "\r\n;;\r\n"),
    ):
        report = await reported(admin, content)
        assert report["columns"] == ["Nome", "Celular", "Cidade"]
        assert report["mapping"] == {"name": "Nome", "phone": "Celular"}
        assert phones(report) == [MARIA, JOAO]
        assert [row["values"]["Cidade"] for row in report["sample"]] == ["São Paulo", "Fortaleza"]
        assert (report["rows"], report["valid"], report["errors"]) == (2, 2, [])


async def test_what_is_unusual_inside_is_kept(admin: ApiClient) -> None:
    report = await reported(admin, 'Nome,Fone,Nota\n"Ana\nMaria",11988887777,"a ""b"" \\N \\t, c"\n')
    assert report["sample"][0]["values"] == {"Nome": "Ana\nMaria", "Fone": "11988887777", "Nota": 'a "b" \\N \\t, c'}
    wide = ",".join(["Fone", *(f"c{n}" for n in range(199))])
    report = await reported(admin, f"{wide}\n11988887777,{','.join('x' * 199)}\n")
    assert (len(report["columns"]), report["valid"]) == (200, 1)
    report = await reported(admin, "Fone,Nota\n11988887777,\\u0000 nul\0\\\n")
    assert report["sample"][0]["values"]["Nota"] == "\\u0000 nul\\"
    report = await reported(admin, "11988887777,Maria\n11977776666,João\n")
    assert (report["rows"], report["columns"], report["mapping"]["phone"]) == (2, ["Column 1", "Column 2"], "Column 1")


async def test_every_row_that_is_not_sent_to_says_why(server: RunningServer, admin: ApiClient) -> None:
    await admin.post("/api/contacts", {"name": "Out", "phone": "+5511966665555"})
    out = await server.kernel.db.fetch_value("SELECT id FROM contacts")
    (await admin.post(f"/api/contacts/{out}/opt-out")).raise_for_status()
    rows = ["Nome,Fone", "a,11988887777", "", "b,1188887777", "c,", "d,12", "e,+5511988887777", "f,11 96666-5555"]
    report = await reported(admin, "\n".join(rows) + "\n")
    counts = {name: report[name] for name in ("rows", "valid", "invalid", "duplicates", "optedOut", "errorsTotal")}
    assert counts == {"rows": 6, "valid": 1, "invalid": 2, "duplicates": 2, "optedOut": 1, "errorsTotal": 5}
    assert [(one["row"], one["code"]) for one in report["errors"]] == [
        (4, "duplicate"), (5, "invalid_number"), (6, "invalid_number"), (7, "duplicate"), (8, "opted_out"),
    ]  # fmt: skip
    assert report["errors"][0]["message"] == "the same person as in row 2"
    assert "'12' is no phone number" in report["errors"][2]["message"]

    lines = read_csv(await admin.get(f"/api/campaigns/files/{report['fileId']}/errors.csv"))
    assert lines[0] == ["Nome", "Fone", "Row", "Problem"]
    assert lines[1] == ["b", "1188887777", "4", "the same person as in row 2"]
    assert len(lines) == 6
    again = await upload(admin, (await admin.get(f"/api/campaigns/files/{report['fileId']}/errors.csv")).content)
    assert again.json()["mapping"] == {"name": "Nome", "phone": "Fone"}


async def test_only_so_many_errors_are_shown_and_all_are_handed_out(admin: ApiClient) -> None:
    report = await reported(admin, "Fone\n" + "".join(f"=cmd|' /C calc'!A{n}\n" for n in range(2500)))
    assert (len(report["errors"]), report["errorsTotal"], report["invalid"]) == (100, 2500, 2500)
    path = f"/api/campaigns/files/{report['fileId']}/errors.csv"
    lines = read_csv(await admin.get(path))
    assert (len(lines), lines[-1][:2]) == (2501, ["'=cmd|' /C calc'!A2499", "2501"])
    assert (await admin.get(path, params={"delimiter": ";"})).text.startswith("\ufeffFone;Row;Problem\r\n")


async def test_a_wrong_guess_is_corrected(admin: ApiClient) -> None:
    report = await reported(admin, "Contato,Zap,Outro\nMaria,x,912345678\nJoão,y,912345678\nAna,z,123\n")
    path = f"/api/campaigns/files/{report['fileId']}"
    corrected = (await admin.post(f"{path}/report", {"mapping": {"phone": "Outro"}, "defaultRegion": "PT"})).json()
    assert (corrected["mapping"]["phone"], corrected["defaultRegion"]) == ("Outro", "PT")
    assert (corrected["valid"], corrected["duplicates"], corrected["invalid"]) == (1, 1, 1)
    assert phones(corrected)[0] == "+351912345678"
    assert (await admin.get(path)).json() == corrected
    refused = await admin.post(f"{path}/report", {"mapping": {"phone": "Telefone"}})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_column")
    assert "Contato, Zap, Outro" in refused.json()["detail"]
    assert (await admin.post(f"{path}/report", {"defaultRegion": "XX"})).status_code == 422
    assert (await reported(admin, "Fone\n912345678\n", defaultRegion="PT"))["valid"] == 1


XMLNS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PARTS = {
    "_rels/.rels": f'<Relationships><Relationship Id="a" Type="{XMLNS}/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>",
    "xl/workbook.xml": f'<workbook xmlns:r="{XMLNS}"><sheets><sheet name="One" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships><Relationship Id="r1" Type="{XMLNS}/worksheet" '
    'Target="worksheets/sheet1.xml"/></Relationships>',
}


def workbook(*rows: str) -> bytes:
    """Return a workbook of one sheet; a row's cells are parted by `;`, and digits alone are a number."""

    def cell(text: str) -> str:
        return f"<c><v>{text}</v></c>" if text.isdigit() else f'<c t="inlineStr"><is><t>{text}</t></is></c>'

    body = "".join(f"<row r='{n}'>{''.join(map(cell, row.split(';')))}</row>" for n, row in enumerate(rows, 1))
    made = io.BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as archive:
        for name, content in PARTS.items():
            archive.writestr(name, content)
        archive.writestr("xl/worksheets/sheet1.xml", f"<worksheet><sheetData>{body}</sheetData></worksheet>")
    return made.getvalue()


def bomb() -> bytes:
    """Return a workbook whose sheet says that it unpacks to a gigabyte."""
    whole = bytearray(workbook("Fone", "11988887777"))
    entry = whole.rindex(b"PK\x01\x02")
    whole[entry + 24 : entry + 28] = (2**30).to_bytes(4, "little")
    return bytes(whole)


async def test_a_workbook_is_a_list_too(admin: ApiClient) -> None:
    report = await reported(admin, workbook("Nome;Celular;Cidade", "Maria;5511988887777;São Paulo", "João;12;Olinda"))
    assert (report["mapping"], report["valid"]) == ({"name": "Nome", "phone": "Celular"}, 1)
    assert (phones(report)[0], report["errors"][0]["row"]) == (MARIA, 3)


REFUSALS = [
    ("a workbook that unpacks to a gigabyte", bomb(), 413, "file_inflates"),
    ("a damaged workbook", workbook("Fone")[:300], 422, "file_damaged"),
    ("nothing", b"", 422, "invalid_request"),
    ("empty rows", b";;\r\n;;\r\n", 422, "file_empty"),
    ("a picture", b"\x89PNG\r\n\x1a\n" + bytes(100), 415, "file_not_a_table"),
    ("an old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), 415, "file_old_excel"),
    ("an open quotation", b'Fone\n"1198888', 422, "quote_unclosed"),
    ("an open quotation after many rows", b"Fone\n" + b"11988887777\n" * 1500 + b'"x', 422, "quote_unclosed"),
    ("too many rows", b"Fone\n" + b"11988887777\n" * 2001, 413, "too_many_rows"),
    ("too many columns", b",".join(b"c%d" % n for n in range(251)), 413, "too_many_columns"),
    ("too many bytes", b"Fone\n" + b"1" * 200_001, 413, "too_large"),
]


class TestRefusals:
    @pytest.fixture
    def settings_overrides(self, settings_overrides: dict[str, Any]) -> dict[str, Any]:
        limits = {"max_file_bytes": 200_000, "max_file_rows": 2_000}
        return {"plugins": {**settings_overrides["plugins"], "campaigns": limits}}

    async def test_what_is_no_list_is_refused_clearly_and_leaves_nothing(
        self, server: RunningServer, admin: ApiClient
    ) -> None:
        for name, content, status, code in REFUSALS:
            answer = await upload(admin, content)
            assert (answer.status_code, answer.json()["code"]) == (status, code), (name, answer.text)
            assert len(answer.json()["detail"].split()) >= 4
        for table in ("campaign_files", "campaign_file_rows"):
            assert await server.kernel.db.fetch_value(f"SELECT count(*) FROM {table}") == 0
        assert (await upload(admin, "Fone\n" + "11988887777\n" * 2000)).json()["duplicates"] == 1999


async def test_who_may_and_until_when(server: RunningServer, admin: ApiClient) -> None:
    kept, gone, deleted = [(await reported(admin, PEOPLE))["fileId"] for _ in range(3)]
    async with log_in_as(server, "OPERATOR") as operator:
        assert (await upload(operator, PEOPLE)).status_code == 403
        assert (await operator.get(f"/api/campaigns/files/{kept}")).status_code == 403
    db = server.kernel.db
    await db.execute(
        "INSERT INTO campaigns (id, name, instance_id, text, file_id, timezone, stop_rules) "
        "VALUES (gen_random_uuid(), 'x', gen_random_uuid(), 'hi', $1, 'UTC', '{}')",
        UUID(kept),
    )
    assert (await admin.delete(f"/api/campaigns/files/{deleted}")).status_code == 204
    assert (await admin.delete(f"/api/campaigns/files/{deleted}")).status_code == 404
    refused = await admin.delete(f"/api/campaigns/files/{kept}")
    assert (refused.status_code, refused.json()["code"]) == (409, "file_in_use")
    await db.execute("UPDATE campaigns SET state = 'running'")
    refused = await admin.post(f"/api/campaigns/files/{kept}/report", {"mapping": {"phone": "Cidade"}})
    assert (refused.status_code, refused.json()["code"]) == (409, "file_in_use")

    await expire(server.kernel, {})
    assert await db.fetch_value("SELECT count(*) FROM campaign_files") == 2
    await db.execute("UPDATE campaign_files SET created_at = now() - interval '31 days'")
    await expire(server.kernel, {})
    assert (await admin.get(f"/api/campaigns/files/{gone}")).json()["code"] == "file_not_found"
    assert (await admin.get(f"/api/campaigns/files/{kept}")).status_code == 200
