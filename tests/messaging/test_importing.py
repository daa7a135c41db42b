"""Contacts out of a file: each person once, counts that add up, and every row that failed with its reason."""

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from elsehu.contracts.user import Caller, Role
from elsehu.kernel import Kernel
from elsehu.messaging.contacts.importing import jobs
from elsehu.messaging.contacts.importing.listing import ErrorTable, find, import_view
from elsehu.messaging.contacts.importing.running import MOST_ATTEMPTS, Progress, run
from elsehu.messaging.contacts.importing.schemas import ColumnMapping
from elsehu.messaging.contacts.importing.slices import SLICE
from elsehu.messaging.contacts.importing.storing import Asked, store
from elsehu.sheets import csv_lines
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

MACHINE = Caller(Role.ADMIN, None, "a test")
FILE = """\
Nome;Celular;E-mail;Etiquetas;Cidade;Vazia
Ana  Maria;(11) 98888-7777;ana@Example.com;vip, novo;São Paulo;
Ana Maria;+55 11 8888-7777;;;Recife;
Eva;not a phone;;;;
"Ida
Reis";11977776666;ida@example;;;
Léa;11966665555;;;;
Léa;11966665555;;;;
;;lia@example.com;;;
Mia;11955554444;;;;;too much
=SUM(1);'+44 7700 900123;;;;
"""


async def started(kernel: Kernel, folder: Path, content: str, **mapping: Any) -> UUID:
    """Store an import."""
    path = folder / "people.csv"
    path.write_text(content, newline="")
    async with kernel.db.transaction() as uow:
        return await store(uow, Asked(path, path.name, ColumnMapping.model_validate(mapping), "BR"), MACHINE)


async def view_of(kernel: Kernel, import_id: UUID) -> dict[str, Any]:
    return import_view(await find(kernel.db, import_id))


async def imported(kernel: Kernel, folder: Path, content: str, **mapping: Any) -> dict[str, Any]:
    """Import a file and return what became of it."""
    import_id = await started(kernel, folder, content, **mapping)
    assert await run(kernel, import_id)
    return await view_of(kernel, import_id)


async def contacts(kernel: Kernel) -> list[tuple[Any, ...]]:
    rows = await kernel.db.fetch("SELECT * FROM contacts ORDER BY phone")
    return [(row["phone"], row["name"], row["email"], list(row["tags"]), orjson.loads(row["custom"])) for row in rows]


async def errors(kernel: Kernel, view: dict[str, Any]) -> str:
    table = ErrorTable(await find(kernel.db, UUID(view["id"])))
    rows = [row async for page in table.pages(kernel.db) for row in page]
    return "".join(csv_lines(table.header, rows, delimiter=";"))


def counts(view: dict[str, Any]) -> tuple[int, ...]:
    return tuple(view[name] for name in ("total", "created", "updated", "skipped", "failed"))


def many(count: int) -> str:
    return "Nome;Fone\n" + "".join(f"Pessoa {n};55119{n:08d}\n" for n in range(count))


async def test_what_a_file_comes_to(kernel: Kernel, tmp_path: Path) -> None:
    view = await imported(kernel, tmp_path, FILE)
    assert (view["status"], view["progress"], view["error"]) == ("finished", 1.0, None)
    assert counts(view) == (9, 3, 1, 1, 4)
    fields = {"Cidade": "Cidade", "Vazia": "Vazia"}
    columns = {"phone": "Celular", "name": "Nome", "email": "E-mail", "tags": "Etiquetas", "custom": fields}
    assert view["mapping"] == columns
    assert await contacts(kernel) == [
        ("447700900123", "=SUM(1)", None, [], {}),
        ("5511966665555", "Léa", None, [], {}),
        ("5511988887777", "Ana Maria", "ana@example.com", ["vip", "novo"], {"Cidade": "Recife"}),
    ]
    assert await kernel.db.fetch_value("SELECT count(*) FROM contact_import_chunks") == 0
    assert await kernel.db.fetch_value("SELECT count(*) FROM contact_import_rows") == 4
    told = await kernel.db.fetch("SELECT subject_id FROM events WHERE type = 'import:updated'")
    assert [str(row["subject_id"]) for row in told] == [view["id"]]
    audited = await kernel.db.fetch_row("SELECT action, actor_name FROM audit_log")
    assert tuple(audited or ()) == ("contacts_imported", "a test")


async def test_failed_rows_come_back_and_can_be_uploaded_again(kernel: Kernel, tmp_path: Path) -> None:
    first = await imported(kernel, tmp_path, FILE)
    handed_back = await errors(kernel, first)
    header, *rows = csv.reader(io.StringIO(handed_back.removeprefix("\ufeff"), newline=""), delimiter=";")
    assert header == ["Nome", "Celular", "E-mail", "Etiquetas", "Cidade", "Vazia", "Row", "Problem"]
    assert [row[:3] + row[6:7] for row in rows] == [
        ["Eva", "not a phone", "", "4"],
        ["Ida\nReis", "11977776666", "ida@example", "5"],
        ["", "", "lia@example.com", "8"],
        ["Mia", "11955554444", "", "9"],
    ]
    wrong = ("is no phone number", "is no e-mail address", "has no phone number", "has more cells")
    assert all(words in row[7] for words, row in zip(wrong, rows, strict=True))
    again = await imported(kernel, tmp_path, handed_back)
    assert counts(again) == (4, 0, 0, 0, 4)
    assert "Problem" not in again["mapping"]["custom"]
    assert (await errors(kernel, again)).count("Problem") == 1
    corrected = handed_back.replace("not a phone", "'+5511944443333").replace("ida@example", "ida@example.com")
    assert counts(await imported(kernel, tmp_path, corrected)) == (4, 2, 0, 0, 2)


async def test_a_file_without_headings(kernel: Kernel, tmp_path: Path) -> None:
    view = await imported(kernel, tmp_path, "Ana Reis,11988887777\nEva Lima,1\n" + "Ida Reis,11988886666\n" * 3)
    assert (counts(view), view["columns"]) == ((5, 2, 0, 2, 1), ["Column 1", "Column 2"])
    assert (await errors(kernel, view)).startswith("\ufeffName;Phone;Row;Problem\r\n")


async def test_columns_are_what_one_says(kernel: Kernel, tmp_path: Path) -> None:
    content = "Nome;Apelido;Fone 1;Fone 2\nAna;Aninha;11988887777;1\n"
    view = await imported(kernel, tmp_path, content, phone="Fone 1", name="Apelido", email=None, custom={"x": "Nome"})
    assert counts(view) == (1, 1, 0, 0, 0)
    assert await contacts(kernel) == [("5511988887777", "Aninha", None, [], {"x": "Ana"})]


REFUSED: list[tuple[str, str, dict[str, str], str]] = [
    ("no phones", "Nome;Cidade\nAna;Rio\n", {}, "phone_column_missing"),
    ("a column that is not there", "Nome;Fone\nAna;1\n", {"name": "Apelido"}, "unknown_column"),
    ("nothing", "\n", {}, "file_empty"),
    ("a quote that never closes", many(1500) + '"Ana;1\n', {}, "quote_unclosed"),
]


async def test_files_that_are_refused_change_nothing(kernel: Kernel, tmp_path: Path) -> None:
    for what, content, mapping, code in REFUSED:
        view = await imported(kernel, tmp_path, content, **mapping)
        assert (view["status"], view["error"]["code"]) == ("failed", code), what
    left = "SELECT (SELECT count(*) FROM contact_import_rows) + (SELECT count(*) FROM contact_import_chunks)"
    assert await kernel.db.fetch_value(left) == 0
    assert await contacts(kernel) == []


async def test_it_goes_on_where_it_was_by_whoever_comes(kernel: Kernel, tmp_path: Path) -> None:
    count = 2 * SLICE + 10
    import_id = await started(kernel, tmp_path, many(count))
    assert not await run(kernel, import_id, seconds=0)
    assert counts(await view_of(kernel, import_id)) == (count, SLICE, 0, 0, 0)
    second: list[bool] = []

    class Stopped(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.merged > SLICE:
            raise Stopped

    with pytest.raises(Stopped):
        await run(kernel, import_id, watch=stop)
    view = await view_of(kernel, import_id)
    assert (counts(view), view["progress"]) == ((count, 2 * SLICE, 0, 0, 0), round(2 * SLICE / count, 3))
    await kernel.db.execute("UPDATE contact_imports SET attempts = $1", MOST_ATTEMPTS - 1)
    assert await run(kernel, import_id, watch=lambda _: second.append(True))
    assert counts(await view_of(kernel, import_id)) == (count, count, 0, 0, 0)
    assert await run(kernel, import_id)


async def test_what_never_gets_any_further_is_given_up(kernel: Kernel, tmp_path: Path) -> None:
    import_id = await started(kernel, tmp_path, many(1))
    await kernel.db.execute("UPDATE contact_imports SET attempts = $1", MOST_ATTEMPTS)
    assert await run(kernel, import_id)
    assert (await view_of(kernel, import_id))["error"]["code"] == "import_failed"


async def test_what_a_worker_left_is_found_and_what_is_old_forgotten(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[UUID] = []

    async def begin(_: Kernel, import_id: UUID) -> None:
        begun.append(import_id)

    monkeypatch.setattr(jobs, "begin", begin)
    done = await started(kernel, tmp_path, FILE)
    await run(kernel, done)
    left, new = [await started(kernel, tmp_path, many(1)) for _ in range(2)]
    await kernel.db.execute("UPDATE contact_imports SET created_at = $1", kernel.now() - 2 * jobs.LEFT_AFTER)
    await kernel.db.execute("UPDATE contact_imports SET created_at = now() WHERE id = $1", new)
    await jobs.go_on(kernel, {})
    assert begun == [left]
    await kernel.db.execute("UPDATE contact_imports SET finished_at = $1", kernel.now() - jobs.KEPT - timedelta(1))
    await jobs.purge(kernel, {})
    assert await kernel.db.fetch_value("SELECT count(*) FROM contact_imports") == 0


async def test_over_http(server: RunningServer, admin: ApiClient, operator: ApiClient, kernel: Kernel) -> None:
    async def upload(client: ApiClient, content: bytes = FILE.encode("cp1252"), **fields: str) -> Any:
        return await client.http.post("/api/contacts/import", files={"file": ("a.csv", content)}, data=fields)

    assert (await upload(operator)).status_code == 403
    assert (await operator.get("/api/contacts/imports")).status_code == 403
    answer = await upload(admin, mapping='{"phone": "Celular", "email": null}', defaultRegion="br")
    assert answer.status_code == 202, answer.text
    import_id = answer.json()["id"]
    assert answer.json() == {"id": import_id, "status": "queued"}
    await run(server.kernel, UUID(import_id))
    view = (await admin.get(f"/api/contacts/imports/{import_id}")).json()
    assert (view["status"], counts(view), view["fileName"]) == ("finished", (9, 4, 1, 1, 3), "a.csv")
    assert (await admin.get("/api/contacts/imports")).json() == {"items": [view], "nextCursor": None}
    csv_file = await admin.get(view["errorsUrl"], params={"delimiter": ";"})
    assert csv_file.headers["content-type"] == "text/csv; charset=utf-8"
    assert len(csv_file.text.splitlines()) == 1 + 3
    refusals = {
        (await upload(admin, **fields)).json()["code"]
        for fields in ({"mapping": "{"}, {"mapping": '{"fax": "x"}'}, {"defaultRegion": "XX"}, {"other": "x"})
    }
    assert refusals == {"invalid_request"}
    assert (await upload(admin, mapping='{"phone": "Fax"}')).json()["code"] == "unknown_column"
    assert (await upload(admin, b"%PDF-1.7")).json()["code"] == "file_not_a_table"
    assert (await upload(admin, b"")).json()["code"] == "invalid_request"
    assert (await admin.post("/api/contacts/import", {})).status_code == 415
    assert (await admin.get(f"/api/contacts/imports/{UUID(int=1)}")).json()["code"] == "import_not_found"
    assert len((await admin.get("/api/contacts/imports", params={"limit": 1})).json()["items"]) == 1
