"""What a template's places are, and what it reads like when they are filled."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elsehu.contracts.template import ProviderTemplate, TemplateButton, TemplateHeader, TemplateStatus
from elsehu.messaging.outbound.schemas import TemplateMessage, TemplateValues
from elsehu.messaging.templates.checking import is_named
from elsehu.messaging.templates.filling import missing, needless, problems
from elsehu.messaging.templates.rendering import render
from elsehu.messaging.templates.sending import payload_of
from elsehu.messaging.templates.variables import fill, names_in, variables_of

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="{}"), max_size=12)
NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True), min_size=1, max_size=5, unique=True)
ID = UUID(int=7)


def template(body: str = "Hi", **more: Any) -> ProviderTemplate:
    header = more.get("header")
    named = is_named(body, header.text if header else None)
    return ProviderTemplate("t", "pt_BR", "UTILITY", TemplateStatus.APPROVED, body, **{"named": named, **more})


def filled(**values: Any) -> TemplateMessage:
    return TemplateMessage.model_validate({"templateId": str(uuid4()), **values})


@given(st.lists(WORDS, min_size=6, max_size=6), NAMES, st.data())
@settings(max_examples=settings.default.max_examples // 3)
def test_filling_puts_each_value_into_its_places(texts: list[str], names: list[str], data: st.DataObject) -> None:
    """Whatever values hold, even places of others: a template is filled once, and only at its places."""
    values = {name: data.draw(WORDS | st.sampled_from([f"{{{{{other}}}}}" for other in names])) for name in names}
    pieces = [part for text, name in zip(texts, names, strict=False) for part in (text, f"{{{{{name}}}}}")]
    expected = "".join(part for text, name in zip(texts, names, strict=False) for part in (text, values[name]))
    assert fill("".join(pieces), values) == expected
    assert fill("".join(pieces), {}) == "".join(pieces)
    assert names_in("".join(pieces)) == names


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("none", []),
        ("{{1}}", ["1"]),
        ("{{2}} {{1}} {{10}} {{2}}", ["1", "2", "10"]),
        ("{{b}} {{a}} {{b}}", ["b", "a"]),
        ("{{ name }}", ["name"]),
        ("{1} {{}} {{ä}} {{1", []),
    ],
)
def test_the_names_in_a_text(body: str, names: list[str]) -> None:
    assert names_in(body) == names


CODE = TemplateButton("copy_code", "Copy")
URL = TemplateButton("url", "See", "https://a.example/{{1}}")
FULL = template(
    "Order {{1}} of {{2}}",
    header=TemplateHeader("text", "Hi {{1}}"),
    footer="Bye",
    buttons=(
        TemplateButton("quick_reply", "Thanks"),
        URL,
        TemplateButton("phone", "Call", phone="+5511999990000"),
        TemplateButton("copy_code", "Copy"),
    ),
)
VALUES = {
    "variables": {"1": "42", "2": "Ana"},
    "headerVariables": {"1": "Ana"},
    "buttonVariables": {"1": "o/42", "3": "SAVE"},
}
PLACE = {"latitude": -23.5, "longitude": -46.6, "name": "Shop", "address": "Rua 1"}


def test_a_text_of_all_parts() -> None:
    assert render(FULL, filled(**VALUES)).text == (
        "Hi Ana\n\nOrder 42 of Ana\n\nBye\n\n• Thanks\nSee: https://a.example/o/42\nCall: +5511999990000\nCopy: SAVE"
    )


def test_a_place_reads_as_a_link_to_a_map() -> None:
    shown = render(template(header=TemplateHeader("location")), filled(headerLocation=PLACE))
    assert shown.text == "Shop\nRua 1\nhttps://www.google.com/maps?q=-23.5,-46.6\n\nHi"


def test_what_is_missing_stays_and_is_named() -> None:
    given_values = TemplateValues.model_validate({"variables": {"2": "Ana", "9": "x"}, "buttonVariables": {"2": "y"}})
    assert render(FULL, given_values).body == "Order {{1}} of Ana"
    assert [one.path for one in missing(FULL, given_values)] == [
        "headerVariables.1", "variables.1", "buttonVariables.1", "buttonVariables.3"
    ]  # fmt: skip
    assert needless(FULL, given_values) == ["variables.9", "buttonVariables.2"]


PAYLOADS: list[tuple[str, ProviderTemplate, dict[str, Any], dict[str, Any]]] = [
    ("nothing varies", template(), {}, {"header": None, "body": [], "buttons": []}),
    (
        "numbers go in their order",
        template("{{2}} {{1}}"),
        {"variables": {"2": "b", "1": "a"}},
        {"header": None, "body": [{"name": None, "text": "a"}, {"name": None, "text": "b"}], "buttons": []},
    ),
    (
        "names are told",
        template("{{when}}", header=TemplateHeader("text", "{{who}}")),
        {"variables": {"when": "now"}, "headerVariables": {"who": "Ana"}},
        {
            "header": {"format": "text", "parameters": [{"name": "who", "text": "Ana"}]},
            "body": [{"name": "when", "text": "now"}],
            "buttons": [],
        },
    ),
    (
        "buttons that are filled",
        FULL,
        {**VALUES, "buttonVariables": {**VALUES["buttonVariables"], "0": "payload"}},
        {
            "header": {"format": "text", "parameters": [{"name": None, "text": "Ana"}]},
            "body": [{"name": None, "text": "42"}, {"name": None, "text": "Ana"}],
            "buttons": [
                {"index": 0, "type": "quick_reply", "value": "payload"},
                {"index": 1, "type": "url", "value": "o/42"},
                {"index": 3, "type": "copy_code", "value": "SAVE"},
            ],
        },
    ),
    (
        "a header without a variable",
        template(header=TemplateHeader("text", "Hello")),
        {},
        {"header": None, "body": [], "buttons": []},
    ),
    (
        "a header that is a file",
        template(header=TemplateHeader("image")),
        {"headerMediaId": str(ID)},
        {"header": {"format": "image"}, "body": [], "buttons": []},
    ),
    (
        "a one-time password is in the button, too",
        template("{{1}} is your code", buttons=(TemplateButton("otp", "Copy"),)),
        {"variables": {"1": "123456"}},
        {
            "header": None,
            "body": [{"name": None, "text": "123456"}],
            "buttons": [{"index": 0, "type": "otp", "value": "123456"}],
        },
    ),
]


@pytest.mark.parametrize(("of", "values", "expected"), [one[1:] for one in PAYLOADS], ids=[one[0] for one in PAYLOADS])
def test_what_a_provider_is_given(of: ProviderTemplate, values: dict[str, Any], expected: dict[str, Any]) -> None:
    message = filled(**values)
    assert problems(of, message) == []
    named = {"template": {"id": str(ID), "name": "t", "language": "pt_BR"}}
    assert payload_of(ID, of, message) == {**named, **expected}


def test_a_place_is_given_as_it_is_sent() -> None:
    header = payload_of(ID, template(header=TemplateHeader("location")), filled(headerLocation=PLACE))["header"]
    assert header["format"] == "location"
    assert {name: header["location"][name] for name in PLACE} == PLACE


REFUSED: list[tuple[ProviderTemplate, dict[str, Any], list[str]]] = [
    (template("{{1}} {{2}}"), {"variables": {"1": "a"}}, ["variables.2"]),
    (template("{{1}}"), {"variables": {"1": "a", "2": "b"}}, ["variables.2"]),
    (template("{{name}}"), {"variables": {"1": "a"}}, ["variables.name", "variables.1"]),
    (template("{{1}}"), {"variables": {"1": ""}}, ["variables.1"]),
    (template("{{1}}"), {"variables": {"1": " "}}, ["variables.1"]),
    (template("{{1}}"), {"variables": {"1": "a\nb"}}, ["variables.1"]),
    (template("{{1}}"), {"variables": {"1": "a\tb"}}, ["variables.1"]),
    (template("{{1}}"), {"variables": {"1": "a     b"}}, ["variables.1"]),
    (template("{{1}}"), {"variables": {"1": "a    b"}}, []),
    (template(), {"headerVariables": {"1": "a"}}, ["headerVariables.1"]),
    (template(buttons=(URL,)), {}, ["buttonVariables.0"]),
    (template(buttons=(URL,)), {"buttonVariables": {"0": "a b"}}, ["buttonVariables.0"]),
    (template(buttons=(CODE,)), {"buttonVariables": {"0": "x" * 16}}, ["buttonVariables.0"]),
    (template(buttons=(TemplateButton("flow", "x"),)), {}, []),
    (template(buttons=(TemplateButton("phone", "x"),)), {"buttonVariables": {"0": "x"}}, ["buttonVariables.0"]),
    (template(header=TemplateHeader("image")), {}, ["headerMediaId"]),
    (template(header=TemplateHeader("location")), {}, ["headerLocation"]),
    (template(), {"headerMediaId": str(ID), "headerLocation": PLACE}, ["headerMediaId", "headerLocation"]),
]  # fmt: skip


@pytest.mark.parametrize(("of", "values", "fields"), REFUSED)
def test_what_cannot_stand_in_a_place(of: ProviderTemplate, values: dict[str, Any], fields: list[str]) -> None:
    assert [error.field for error in problems(of, filled(**values))] == [f"template.{field}" for field in fields]


def test_every_place_is_told_with_its_example() -> None:
    of = template("{{b}} {{a}}", examples=("x", "y"), buttons=(URL, TemplateButton("contact_request", "Share")))
    assert [(one.path, one.example, one.required) for one in variables_of(of)] == [
        ("variables.b", "x", True),
        ("variables.a", "y", True),
        ("buttonVariables.0", None, True),
    ]
