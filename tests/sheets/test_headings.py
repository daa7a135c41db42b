"""Which column is the phone, the name, the e-mail, the tags."""

import pytest

from elsehu.sheets import guess_columns

NOBODY: list[list[str]] = []
GUESSES = [
    ("Portuguese", ["Nome", "Telefone", "E-mail", "Etiquetas"], NOBODY, ["Telefone", "Nome", "E-mail", "Etiquetas"]),
    ("English", ["full_name", "PhoneNumber", "EMAIL", "tags"], NOBODY, ["PhoneNumber", "full_name", "EMAIL", "tags"]),
    ("accents", ["Razão Social", "Nº do Celular"], NOBODY, ["Nº do Celular", "Razão Social", None, None]),
    ("the most telling", ["Nome", "Telefone fixo", "WhatsApp"], NOBODY, ["WhatsApp", "Nome", None, None]),
    ("a contact that is a name", ["Contato", "Número"], [["Ana", "11999990001"]], ["Número", "Contato", None, None]),
    ("a contact that is a phone", ["Contato", "Obs"], [["11999990001", "x1"]], ["Contato", None, None, None]),
    ("no heading tells", ["A", "B", "C"], [["a@b.co", "Ana Reis", "(11) 99999-0001"]], ["C", "B", "A", None]),
    ("dates are no phones", ["A", "B"], [["2026-03-05", "x"], ["05/03/2026 10:20", "y1"]], [None, None, None, None]),
    ("a plain heading above nonsense", ["Telefone", "Nome"], [["?", "1"]], ["Telefone", "Nome", None, None]),
    ("nothing", [], NOBODY, [None, None, None, None]),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "sample", "guess"), [one[1:] for one in GUESSES], ids=[one[0] for one in GUESSES])
def test_guesses(columns: list[str], sample: list[list[str]], guess: list[str | None]) -> None:
    guessed = guess_columns(columns, sample)
    assert [guessed.get(meaning) for meaning in ("phone", "name", "email", "tags")] == guess  # type: ignore[call-overload]
