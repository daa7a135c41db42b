"""Where the values of a campaign's places come from."""

import pytest
from elsehu_campaigns.places import Person, origins_of, values_of

COLUMNS = ["Celular", "Nome", "Pedido", "contact.name"]
CELLS = ["11 98888-7777", " Ana ", "77", "Aninha"]
PERSON = Person("Maria", "5511988887777", "maria@example.com", {"city": "Recife", "visits": 3, "vip": True, "x": None})

FROM_A_FILE = [
    ("a column", {"order": "Pedido"}, "order", "77"),
    ("a column called like the place", {}, "nome", "Ana"),
    ("a field of the contact", {"who": "contact.email"}, "who", "maria@example.com"),
    ("a column comes before a field", {"who": "contact.name"}, "who", "Aninha"),
    ("an own field", {"town": "contact.custom.city"}, "town", "Recife"),
    ("nothing says", {}, "order", None),
    ("no such column", {"order": "Pedidos"}, "order", None),
]


@pytest.mark.parametrize(("name", "mapping", "place", "value"), FROM_A_FILE, ids=[one[0] for one in FROM_A_FILE])
def test_from_a_file(name: str, mapping: dict[str, str], place: str, value: str | None) -> None:
    origins = origins_of([place], mapping, COLUMNS)
    assert values_of(origins, CELLS, PERSON).get(place) == value
    assert (place in origins) == (value is not None)


FROM_CONTACTS = [
    ("name", "Maria"),
    ("phone", "+5511988887777"),
    ("email", "maria@example.com"),
    ("city", "Recife"),
    ("visits", "3"),
    ("vip", "true"),
    ("x", None),
    ("unknown", None),
]


@pytest.mark.parametrize(("place", "value"), FROM_CONTACTS)
def test_from_contacts(place: str, value: str | None) -> None:
    assert values_of(origins_of([place], {}, []), (), PERSON).get(place) == value


def test_a_short_row_and_nobody() -> None:
    origins = origins_of(["order", "who"], {"order": "Pedido", "who": "contact.email"}, COLUMNS)
    assert values_of(origins, ["11"], None) == {}
