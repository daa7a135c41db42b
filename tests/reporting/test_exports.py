"""Reports as files: the same rows as the report, nothing that a spreadsheet would calculate, large ones later."""

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from elsehu.reporting.exports import background
from elsehu.sheets.opening import open_sheet
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

from . import naive

EXPORT = "/api/reports/export"
FORMULA = '=HYPERLINK("http://evil.example";"x")'


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    enabled = ["sandbox", "storage_local", "export_csv", "export_xlsx", "export_html"]
    return {"plugins": {"enabled": enabled}}


@pytest.fixture
async def evil_names(server: RunningServer, history: list[naive.Conversation]) -> None:
    """Every customer is called like a formula."""
    await server.kernel.db.execute("UPDATE contacts SET name = $1", FORMULA)


async def exported(client: ApiClient, **query: str) -> bytes:
    answer = await client.get(EXPORT, params={"report": "finished-conversations", **query})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment")
    return answer.content


def of_csv(content: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


def rows_of(content: bytes, folder: Path) -> list[Any]:
    """Return the rows of a workbook below its heading."""
    file = folder / "report.xlsx"
    file.write_bytes(content)
    with open_sheet(file) as sheet:
        return list(sheet.rows)


async def test_formats_are_those_of_the_plugins(supervisor: ApiClient) -> None:
    items = (await supervisor.get("/api/reports/formats")).json()["items"]
    assert {one["name"] for one in items} == {"csv", "csv_excel", "xlsx", "html"}


@pytest.mark.usefixtures("evil_names")
class TestRows:
    async def test_csv_has_a_row_for_each_conversation_and_no_formula(
        self, supervisor: ApiClient, history: list[naive.Conversation]
    ) -> None:
        content = await exported(supervisor)
        rows = of_csv(content)
        assert len(rows) == len(history)
        assert content.count(b"\r\n") == len(history) + 1
        cells = [cell for row in rows for cell in row.values()]
        assert not [cell for cell in cells if re.match(r"[=+@\t\r]|-(?!\d)", cell)]
        assert any(FORMULA in cell for cell in cells)

    async def test_excel_in_brazil_opens_it(self, supervisor: ApiClient, history: list[naive.Conversation]) -> None:
        content = await exported(supervisor, format="csv_excel")
        assert content.startswith(b"\xef\xbb\xbf")
        rows = of_csv(content, ";")
        assert len(rows) == len(history)
        durations = [cell for row in rows for title, cell in row.items() if title.endswith("(s)") and cell]
        assert durations
        assert all(re.fullmatch(r"\d+(,\d+)?", cell) for cell in durations)

    async def test_a_workbook_holds_the_same_as_values(self, supervisor: ApiClient, tmp_path: Path) -> None:
        content = await exported(supervisor, format="xlsx")
        assert rows_of(content, tmp_path)
        plain = of_csv(await exported(supervisor))
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            sheets = b"".join(book.read(name) for name in book.namelist() if "worksheets/" in name)
            everything = b"".join(book.read(name) for name in book.namelist())
        assert not [row for row in plain if row["Conversation"].encode() not in everything]
        assert b"<f>" not in sheets
        assert b"<f " not in sheets

    async def test_a_page_needs_nothing_from_elsewhere(self, supervisor: ApiClient) -> None:
        page = (await exported(supervisor, report="kpis", format="html")).decode()
        assert "<svg" in page
        assert not re.search(r"<script|(?:src|href)\s*=\s*[\"']?https?:", page)

    async def test_what_customers_are_called_is_no_markup(self, server: RunningServer, supervisor: ApiClient) -> None:
        await server.kernel.db.execute("UPDATE users SET name = '<script>alert(1)</script>'")
        await server.kernel.db.execute("UPDATE contacts SET name = '<script>alert(1)</script>'")
        for report in ("finished-conversations", "operators"):
            assert b"<script" not in await exported(supervisor, report=report, format="html")


@pytest.mark.parametrize("report", ["kpis", "operators", "tabulations", "service-instances", "campaigns", "volume"])
@pytest.mark.parametrize("form", ["csv", "csv_excel", "xlsx", "html"])
async def test_every_report_in_every_format(supervisor: ApiClient, report: str, form: str) -> None:
    """Of an installation in which nothing happened yet."""
    assert await exported(supervisor, report=report, format=form)


@pytest.mark.usefixtures("history")
async def test_in_the_background_it_is_made_fetched_and_over(
    server: RunningServer, supervisor: ApiClient, tmp_path: Path
) -> None:
    asked = await supervisor.get(
        EXPORT, params={"report": "finished-conversations", "format": "xlsx", "background": "true"}
    )
    assert asked.status_code == 202
    export = asked.json()
    assert asked.headers["location"] == export["url"]
    early = await supervisor.get(f"{export['url']}/download")
    assert (early.status_code, early.json()["code"]) == (409, "export_not_ready")
    await background.make(server.kernel, {"id": export["id"]})
    ready = (await supervisor.get(export["url"])).json()
    assert (ready["status"], ready["progress"]) == ("ready", 1.0)
    file = await supervisor.get(ready["downloadUrl"])
    assert file.status_code == 200
    assert rows_of(file.content, tmp_path)
    await server.kernel.db.execute("UPDATE report_exports SET expires_at = now() - interval '1 second'")
    await background.upkeep(server.kernel, {})
    over = await supervisor.get(f"{export['url']}/download")
    assert (over.status_code, over.json()["code"]) == (410, "export_expired")


async def test_operators_get_none(operator: ApiClient) -> None:
    assert (await operator.get(EXPORT, params={"report": "kpis"})).status_code == 403


async def test_an_unknown_format_names_those_that_there_are(supervisor: ApiClient) -> None:
    answer = await supervisor.get(EXPORT, params={"report": "kpis", "format": "pdf"})
    assert answer.status_code == 422
    assert "xlsx" in answer.text
