"""What campaigns keep of people is erased with them; what a restored backup had running waits for a person."""

from uuid import uuid4

from elsehu_campaigns import people, restoring

from elsehu.plugin import Kernel, Person, new_id

MARIA = "5511988887777"
FILE = "INSERT INTO campaign_files (id, name, columns, rows) VALUES ($1, 'list.csv', '[\"phone\", \"name\"]', 2)"
ROW = "INSERT INTO campaign_file_rows (file_id, number, cells, phone) VALUES ($1, $2, $3::jsonb, $4)"
CAMPAIGN = """
INSERT INTO campaigns (id, name, instance_id, text, file_id, timezone, stop_rules, state)
VALUES ($1, 'News', $2, 'Hello {{name}}', $3, 'UTC', '{}', $4)
"""
RECIPIENT = """
INSERT INTO campaign_recipients
    (id, campaign_id, position, row_number, contact_id, name, phone, variables, text, fate, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, jsonb_build_object('name', ($6::varchar)::text), $8, $9, $10)
"""


async def test_nothing_is_left_of_an_erased_person(kernel: Kernel) -> None:
    file, campaign, contact = new_id(), new_id(), uuid4()
    async with kernel.db.transaction() as uow:
        await uow.execute(FILE, file)
        await uow.execute(ROW, file, 2, '["(11) 98888-7777", "zyxmaria"]', MARIA)
        await uow.execute(ROW, file, 3, '["+5511977776666", "Joana"]', "5511977776666")
        await uow.execute(CAMPAIGN, campaign, uuid4(), file, "finished")
        await uow.execute(
            RECIPIENT, new_id(), campaign, 1, 2, contact, "zyxmaria", MARIA, "Hello zyxmaria", "queued", None
        )
        await uow.execute(RECIPIENT, new_id(), campaign, 2, 2, None, "zyxmaria", MARIA, None, "skipped", "duplicate")
        await uow.execute(
            RECIPIENT, new_id(), campaign, 3, 3, uuid4(), "Joana", "5511977776666", "Hello", "queued", None
        )
        person = Person([contact], [MARIA], [])
        assert [one["text"] for one in await people.export(uow, person)] == ["Hello zyxmaria"]
        await people.erase(uow, person)
        tables = ("campaign_recipients", "campaign_file_rows")
        left = [row["t"] for table in tables for row in await uow.fetch(f"SELECT t::text AS t FROM {table} t")]
        assert not [text for text in left if "zyx" in text or "8888" in text]
        assert len([text for text in left if "Joana" in text]) == 2
        assert await uow.fetch_value("SELECT count(*) FROM campaign_recipients") == 3


async def test_a_restored_campaign_waits_for_a_person(kernel: Kernel) -> None:
    file = new_id()
    async with kernel.db.transaction() as uow:
        await uow.execute(FILE, file)
        for state in ("draft", "scheduled", "running", "finished"):
            await uow.execute(CAMPAIGN, new_id(), uuid4(), file, state)
        await restoring.settle(uow)
        rows = await uow.fetch("SELECT state, state_reason IS NOT NULL AS told FROM campaigns ORDER BY id")
    assert [tuple(row) for row in rows] == [("draft", False), ("paused", True), ("paused", True), ("finished", False)]
