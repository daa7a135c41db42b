"""Contacts over REST: one phone has one contact, however it is spelled and whoever adds it."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

from elsehu.testing.client import ApiClient
from elsehu.testing.customers import add_number, customer_writes
from elsehu.testing.serving import RunningServer

MARIA = "5511988887777"


async def add(client: ApiClient, name: str = "Maria", phone: str = "+" + MARIA, **more: Any) -> dict[str, Any]:
    """Add a contact and return it."""
    answer = await client.post("/api/contacts", {"name": name, "phone": phone, **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def names(client: ApiClient, **query: Any) -> list[str]:
    """Return the names of the listed contacts, in order."""
    answer = await client.get("/api/contacts", params=query)
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["items"]]


async def test_one_is_added_and_shown(operator: ApiClient) -> None:
    given = {"email": "maria@example.com", "tags": ["vip", "vip"], "custom": {"city": "São Paulo", "orders": [1, 2]}}
    made = await add(operator, " Maria José ", "+55 (11) 98888-7777", **given)
    expected = {
        "name": "Maria José",
        "username": None,
        "phone": "+5511988887777",
        "email": "maria@example.com",
        "identities": [{"kind": "phone", "value": "+5511988887777"}],
        "tags": ["vip"],
        "optedOut": False,
        "unreachable": None,
        "custom": {"city": "São Paulo", "orders": [1, 2]},
    }
    assert {key: made[key] for key in expected} == expected
    assert (await operator.get(f"/api/contacts/{made['id']}")).json() == made
    assert (await operator.get("/api/contacts")).json() == {"items": [made], "nextCursor": None}


async def test_a_phone_has_one_contact(operator: ApiClient) -> None:
    made = await add(operator)
    for spelling in ("+5511988887777", "+55 11 8888-7777", "11 98888-7777", "(11) 8888 7777", "+55 (0)11 98888-7777"):
        answer = await operator.post("/api/contacts", {"name": "Mary", "phone": spelling})
        assert (answer.status_code, answer.json()["code"]) == (409, "contact_exists"), spelling
        assert answer.json()["contactId"] == made["id"]


async def test_what_is_no_phone(operator: ApiClient) -> None:
    made = await add(operator)
    for phone in ("", "maria", "123", "+55", "+" + "9" * 30, "+55119888877\0", None, 5511988887777):
        for answer in (
            await operator.post("/api/contacts", {"name": "x", "phone": phone}),
            await operator.patch(f"/api/contacts/{made['id']}", {"phone": phone}),
        ):
            assert answer.status_code == 422, phone
            assert [error["field"] for error in answer.json()["errors"]] == ["phone"]


async def test_what_cannot_be_kept(operator: ApiClient) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"name": ""}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"email": "maria"}, "email"),
        ({"tags": ["a\0"]}, "tags.0"),
        ({"tags": [""]}, "tags.0"),
        ({"custom": {"a": "\0"}}, "custom"),
        ({"custom": {"a": 10**30}}, "custom"),
        ({"custom": []}, "custom"),
        ({"optedOut": True}, "optedOut"),
    ]
    for given, field in refused:
        answer = await operator.post("/api/contacts", {"name": "x", "phone": "+5511988887777", **given})
        assert answer.status_code == 422, given
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_many_add_one_phone_while_it_writes(server: RunningServer, admin: ApiClient, operator: ApiClient) -> None:
    number = await add_number(admin)
    for place in range(5):
        digits = f"551188880{place:03}"  # without the ninth digit
        spellings = [f"+{digits}", f"+55119{digits[4:]}", f"11 {digits[4:]}"] * 3
        arriving = asyncio.create_task(customer_writes(server, number, digits))
        answers = await asyncio.gather(
            *(operator.post("/api/contacts", {"name": "x", "phone": one}) for one in spellings)
        )
        await arriving
        owners = await server.kernel.db.fetch(
            "SELECT contact_id FROM contact_identities WHERE value = $1", f"55119{digits[4:]}"
        )
        [owner] = [str(row["contact_id"]) for row in owners]
        answered = [answer.json() for answer in answers]
        assert {one.get("contactId") or one["id"] for one in answered} == {owner}
    assert await server.kernel.db.fetch_value("SELECT count(*) FROM contacts") == 5


async def test_one_is_changed(operator: ApiClient) -> None:
    made = await add(operator, email="maria@example.com", tags=["vip"], custom={"a": 1})
    path = f"/api/contacts/{made['id']}"
    assert (await operator.patch(path, {})).json() == made
    assert (await operator.patch(path, {"name": "Ana"})).json() == {**made, "name": "Ana"}
    assert (await operator.patch(path, {"email": None, "tags": [], "custom": {}})).json() == {
        **made, "name": "Ana", "email": None, "tags": [], "custom": {},
    }  # fmt: skip
    for field in ("name", "phone", "tags", "custom"):
        assert (await operator.patch(path, {field: None})).status_code == 422


async def test_without_a_name_the_customers_own_is_shown(
    server: RunningServer, admin: ApiClient, operator: ApiClient
) -> None:
    await customer_writes(server, await add_number(admin), MARIA, sender_name="Mari 🌻")
    [contact] = (await operator.get("/api/contacts")).json()["items"]
    assert contact["name"] == "Mari 🌻"
    path = f"/api/contacts/{contact['id']}"
    assert (await operator.patch(path, {"name": "Maria"})).json()["name"] == "Maria"
    assert (await operator.patch(path, {"name": ""})).json()["name"] == "Mari 🌻"


class TestAnotherPhone:
    """A contact's phone moves with its address."""

    async def test_the_address_moves(self, server: RunningServer, admin: ApiClient, operator: ApiClient) -> None:
        made = await add(operator)
        number = await add_number(admin)
        changed = (await operator.patch(f"/api/contacts/{made['id']}", {"phone": "11 97777-6666"})).json()
        assert changed["phone"] == "+5511977776666"
        assert changed["identities"] == [{"kind": "phone", "value": "+5511977776666"}]
        conversation = await customer_writes(server, number, "551177776666")
        shown = (await operator.get(f"/api/conversations/{conversation}")).json()
        assert shown["contact"]["id"] == made["id"]
        other = await customer_writes(server, number, MARIA)
        shown = (await operator.get(f"/api/conversations/{other}")).json()
        assert shown["contact"]["id"] != made["id"]

    async def test_never_onto_somebody_elses(self, operator: ApiClient) -> None:
        made, other = await add(operator), await add(operator, "Ana", "+5511977776666")
        answer = await operator.patch(f"/api/contacts/{made['id']}", {"phone": "+551177776666", "name": "x"})
        assert (answer.status_code, answer.json()["code"]) == (409, "contact_exists")
        assert answer.json()["contactId"] == other["id"]
        assert (await operator.get(f"/api/contacts/{made['id']}")).json() == made

    async def test_its_own_again(self, operator: ApiClient) -> None:
        made = await add(operator)
        assert (await operator.patch(f"/api/contacts/{made['id']}", {"phone": "+551188887777"})).json() == made

    async def test_two_want_one_phone(self, operator: ApiClient) -> None:
        for place in range(5):
            pair = [await add(operator, "x", f"+551197777{place}00{twin}") for twin in (1, 2)]
            wanted = {"phone": f"+551196666{place}000"}
            answers = await asyncio.gather(*(operator.patch(f"/api/contacts/{one['id']}", wanted) for one in pair))
            assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_open_conversations_are_told_of_a_change(
    server: RunningServer, admin: ApiClient, operator: ApiClient
) -> None:
    conversation = await customer_writes(server, await add_number(admin), MARIA)
    contact = (await operator.get(f"/api/conversations/{conversation}")).json()["contact"]["id"]
    told = "SELECT count(*) FROM events WHERE type = 'conversation:updated' AND subject_id = $1"
    before = await server.kernel.db.fetch_value(told, conversation)
    await operator.patch(f"/api/contacts/{contact}", {"name": "Maria"})
    assert await server.kernel.db.fetch_value(told, conversation) == before + 1
    assert (await operator.get(f"/api/conversations/{conversation}")).json()["contact"]["name"] == "Maria"


class TestArchiving:
    """A deleted contact is hidden, until it writes or is added again."""

    async def test_it_is_hidden_and_not_lost(self, operator: ApiClient) -> None:
        made = await add(operator)
        for _ in range(2):
            assert (await operator.delete(f"/api/contacts/{made['id']}")).status_code == 204
        assert await names(operator) == []
        assert (await operator.get(f"/api/contacts/{made['id']}")).json() == made

    async def test_it_comes_back_when_it_is_added(self, operator: ApiClient) -> None:
        made = await add(operator, email="maria@example.com")
        await operator.delete(f"/api/contacts/{made['id']}")
        again = await add(operator, "Maria Silva", tags=["back"])
        assert again == {**made, "name": "Maria Silva", "tags": ["back"]}
        assert await names(operator) == ["Maria Silva"]

    async def test_it_comes_back_when_it_writes(self, server: RunningServer, admin: ApiClient) -> None:
        made = await add(admin, "José")
        await admin.delete(f"/api/contacts/{made['id']}")
        await customer_writes(server, await add_number(admin), MARIA, sender_name="Zé")
        assert await names(admin, search="jose") == ["José"]
        assert await names(admin, search="ze") == ["José"]


async def test_opting_out_and_in(operator: ApiClient) -> None:
    made = await add(operator)
    path = f"/api/contacts/{made['id']}"
    for verb, expected in (("opt-out", True), ("opt-out", True), ("opt-in", False), ("opt-in", False)):
        assert (await operator.post(f"{path}/{verb}")).json()["optedOut"] is expected
        assert (await operator.get(path)).json()["optedOut"] is expected


async def test_once_with_an_idempotency_key(operator: ApiClient) -> None:
    body, headers = {"name": "Maria", "phone": "+" + MARIA}, {"Idempotency-Key": "c1"}
    first = await operator.post("/api/contacts", body, headers=headers)
    second = await operator.post("/api/contacts", body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()


class TestTheList:
    """Newest first, found by name, phone, e-mail and tag."""

    async def test_search(self, operator: ApiClient) -> None:
        await add(operator, "José Ávila", "+5511988887777")
        await add(operator, "Ana 100%", "+5521977776666", email="ana@example.com")
        for search, found in (
            ("jose", ["José Ávila"]),
            ("JOSÉ", ["José Ávila"]),
            ("avila jose", ["José Ávila"]),
            ("a", ["Ana 100%", "José Ávila"]),
            ("8888-7777", ["José Ávila"]),
            ("+55 11 98888-7777", ["José Ávila"]),
            ("+55 11 8888-7777", ["José Ávila"]),
            ("(11) 8888-7777", ["José Ávila"]),
            ("ana@example", ["Ana 100%"]),
            ("100%", ["Ana 100%"]),
            ("%", []),
            ("av", ["José Ávila"]),  # what is short is looked for at the beginning of words
            ("vi", []),
            ("vil", ["José Ávila"]),
            ("_", []),
            ("\\", []),
            ("jose ana", []),
            ("'; DROP TABLE contacts; --", []),
            ("   ", ["Ana 100%", "José Ávila"]),
        ):
            assert await names(operator, search=search) == found, search

    async def test_tags(self, operator: ApiClient) -> None:
        await add(operator, "a", "+5511988887771", tags=["vip", "new"])
        await add(operator, "b", "+5511988887772", tags=["vip"])
        await add(operator, "c", "+5511988887773")
        assert await names(operator, tag="vip") == ["b", "a"]
        assert await names(operator, tag="new", search="a") == ["a"]
        assert await names(operator, tag="vi") == []

    async def test_pages_stay_whole_while_contacts_are_added(self, operator: ApiClient) -> None:
        for place in range(7):
            await add(operator, str(place), f"+551198888777{place}")
        seen: list[str] = []
        query: dict[str, Any] = {"limit": 3}
        while "cursor" not in query or query["cursor"] is not None:
            page = (await operator.get("/api/contacts", params=query)).json()
            seen += [one["name"] for one in page["items"]]
            query["cursor"] = page["nextCursor"]
            await add(operator, "later", f"+5511977776{len(seen):03}")
        assert seen == ["6", "5", "4", "3", "2", "1", "0"]

    async def test_what_it_cannot_read(self, operator: ApiClient) -> None:
        refused: list[dict[str, Any]] = [
            {"limit": 0},
            {"limit": 201},
            {"limit": "x"},
            {"cursor": "x"},
            {"cursor": "WyIyMDI2LTAxLTAxIiwgIjciXQ"},
            {"search": "a\0"},
            {"search": "x" * 201},
            {"tag": "a\0"},
            {"colour": "red"},
        ]
        for query in refused:
            assert (await operator.get("/api/contacts", params=query)).status_code == 422, query


class TestMerging:
    """An admin says that several contacts are one person."""

    async def test_the_oldest_has_everything(self, server: RunningServer, admin: ApiClient) -> None:
        number = await add_number(admin)
        kept = await add(admin, "Maria", tags=["a"])
        lost = await add(admin, "Mary", "+5511977776666", email="m@example.com", tags=["b"], custom={"x": 1})
        await customer_writes(server, number, "5511977776666", "by the other phone")
        answer = await admin.post("/api/contacts/merge", {"contactIds": [lost["id"], kept["id"]]})
        assert answer.status_code == 200
        merged = answer.json()
        assert (merged["id"], merged["name"], merged["email"]) == (kept["id"], "Maria", "m@example.com")
        assert merged["tags"] == ["a", "b"]
        assert merged["custom"] == {"x": 1}
        assert {one["value"] for one in merged["identities"]} == {"+5511988887777", "+5511977776666"}
        assert (await admin.get(f"/api/contacts/{lost['id']}")).json() == merged
        [conversation] = (await admin.get("/api/conversations")).json()["items"]
        assert conversation["contact"]["id"] == kept["id"]
        assert await names(admin) == ["Maria"]
        assert (await admin.post("/api/contacts/merge", {"contactIds": [lost["id"], kept["id"]]})).json() == merged

    async def test_what_leads_to_it_changes_it(self, admin: ApiClient) -> None:
        kept, lost = await add(admin), await add(admin, "Mary", "+5511977776666")
        await admin.post("/api/contacts/merge", {"contactIds": [lost["id"], kept["id"]]})
        path = f"/api/contacts/{lost['id']}"
        assert (await admin.patch(path, {"name": "Ana"})).json()["id"] == kept["id"]
        assert (await admin.post(f"{path}/opt-out")).json()["id"] == kept["id"]
        shown = (await admin.get(f"/api/contacts/{kept['id']}")).json()
        assert (shown["name"], shown["optedOut"]) == ("Ana", True)
        assert (await admin.delete(path)).status_code == 204
        assert await names(admin) == []

    async def test_it_takes_two(self, admin: ApiClient) -> None:
        for count in (0, 1, 21):
            ids = [str(uuid4()) for _ in range(count)]
            assert (await admin.post("/api/contacts/merge", {"contactIds": ids})).status_code == 422, count

    async def test_who_is_not_there(self, admin: ApiClient) -> None:
        made = await add(admin)
        answer = await admin.post("/api/contacts/merge", {"contactIds": [made["id"], str(uuid4())]})
        assert (answer.status_code, answer.json()["code"]) == (404, "contact_not_found")

    async def test_while_both_write(self, server: RunningServer, admin: ApiClient) -> None:
        """One contact, one open conversation on a number, and every message is in it."""
        number = await add_number(admin)
        for place in range(4):
            phones = [f"551198888{place}00{twin}" for twin in (1, 2)]
            ids = [(await add(admin, "x", f"+{phone}"))["id"] for phone in phones]
            await asyncio.gather(
                *(customer_writes(server, number, phone) for phone in phones * 4),
                admin.post("/api/contacts/merge", {"contactIds": ids}),
                *(admin.patch(f"/api/contacts/{one}", {"name": "y"}) for one in ids),
            )
            merged = (await admin.get(f"/api/contacts/{ids[1]}")).json()
            assert merged["id"] == ids[0]
            rows = await server.kernel.db.fetch(
                "SELECT id, (SELECT count(*) FROM messages m WHERE m.conversation_id = v.id) AS messages "
                "FROM conversations v WHERE contact_id = $1 AND status <> 'closed'",
                UUID(ids[0]),
            )
            assert [row["messages"] for row in rows] == [8]

    async def test_it_is_audited(self, server: RunningServer, admin: ApiClient) -> None:
        kept, lost = await add(admin), await add(admin, "Mary", "+5511977776666")
        await admin.post("/api/contacts/merge", {"contactIds": [lost["id"], kept["id"]]})
        row = await server.kernel.db.fetch_row("SELECT * FROM audit_log WHERE action = 'contacts_merged'")
        assert row is not None
        assert (str(row["actor_id"]), row["subject"]) == (admin.user["id"], f"contact:{kept['id']}")
