"""Drafting for many people: every place is filled, or named as the reason why not; nothing else ever happens."""

from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsehu.contracts.errors import Conflict, DomainError, Invalid, NotFound
from elsehu.contracts.message import Kind
from elsehu.contracts.plugin import NoConfig, ProviderSpec
from elsehu.contracts.template import ProviderTemplate, TemplateButton, TemplateHeader, TemplateStatus
from elsehu.messaging.outbound.contents import Location
from elsehu.messaging.templates.bulk import BulkDrafter, TemplateContent, TemplateDrafter, TextDrafter, bulk_drafter
from elsehu.messaging.templates.sending import Sendable
from elsehu.testing.client import ApiClient
from elsehu.testing.serving import RunningServer

from .conftest import Make
from .test_sending import PDF, PNG, upload

SPEC = ProviderSpec("post", NoConfig, NoConfig, frozenset({Kind.TEXT, Kind.IMAGE}), max_text=300, max_caption=200)
ID = UUID(int=7)
URL = TemplateButton("url", "See", "https://a.example/{{1}}", example="o/1")


def template(body: str, *, named: bool = False, header: str | None = None, **more: object) -> ProviderTemplate:
    above = TemplateHeader("text", header, "Ana") if header else None
    values = {"header": above, "named": named, **more}
    return ProviderTemplate("t", "pt_BR", "UTILITY", TemplateStatus.APPROVED, body, **values)  # type: ignore[arg-type]


def of(made: ProviderTemplate, *, as_text: bool = False) -> TemplateDrafter:
    return TemplateDrafter(Sendable(ID, made, SPEC, as_text), TemplateContent(ID))


def refusal(drafter: BulkDrafter, **values: str) -> tuple[str, list[str]]:
    with pytest.raises(Invalid) as refused:
        drafter.draft({name.replace("__", "."): value for name, value in values.items()})
    return refused.value.code, [error.field for error in refused.value.errors]


NUMBERED = template("{{2}} for {{1}}", header="Hi {{1}}", buttons=(TemplateButton("quick_reply", "Yes"), URL))
NAMED = template("{{order_id}} for {{name}}", named=True, header="Hi {{name}}")


@pytest.mark.parametrize(
    ("drafter", "places"),
    [
        (TextDrafter("Olá, {{ Primeiro nome }}! {{preço}} {{Primeiro nome}}", SPEC), ["Primeiro nome", "preço"]),
        (TextDrafter("{a} {} }", SPEC), []),
        (of(NUMBERED), ["header.1", "1", "2", "button.1"]),
        (of(NUMBERED, as_text=True), ["header.1", "1", "2", "button.1"]),
        (of(NAMED), ["name", "order_id"]),
    ],
)
def test_places(drafter: BulkDrafter, places: list[str]) -> None:
    assert drafter.places == places


def test_a_text_is_filled() -> None:
    draft = TextDrafter("Olá, {{ nome }}!\n{{nome}} {x}", SPEC).draft({"nome": "{{nome}}", "more": "\0"})
    assert (draft.kind, draft.text, draft.payload) == (Kind.TEXT, "Olá, {{nome}}!\n{{nome}} {x}", None)


@pytest.mark.parametrize(
    "text", ["", " \n", "a\0", "\ud800", "Hi {{name", "Hi name}}", "{{}}", "{{ }}", "{{a{b}}", "{{{{a}}}}"]
)
def test_a_text_whose_braces_belong_to_no_place_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        TextDrafter(text, SPEC)


def test_a_very_long_text_is_read_at_once() -> None:
    for text in ("{{" * 30_000, "{{" + " " * 60_000, "{{ a " * 10_000):
        with pytest.raises(Invalid):
            TextDrafter(text, SPEC)


def test_a_template_is_filled_as_if_it_was_sent_alone() -> None:
    values = {"header.1": "Ana", "1": "today", "2": "42", "button.1": "o/42", "button.0": " "}
    draft = of(NUMBERED).draft(values)
    assert (draft.kind, draft.template_id) == (Kind.TEMPLATE, ID)
    assert draft.text == "Hi Ana\n\n42 for today\n\n• Yes\nSee: https://a.example/o/42"
    assert draft.payload == {
        "template": {"id": str(ID), "name": "t", "language": "pt_BR"},
        "header": {"format": "text", "parameters": [{"name": None, "text": "Ana"}]},
        "body": [{"name": None, "text": "today"}, {"name": None, "text": "42"}],
        "buttons": [{"index": 1, "type": "url", "value": "o/42"}],
    }
    as_text = of(NUMBERED, as_text=True).draft(values)
    assert (as_text.kind, as_text.text, as_text.payload) == (Kind.TEXT, draft.text, None)
    shared = of(NAMED).draft({"name": "Ana", "order_id": "42"})
    assert shared.text == "Hi Ana\n\n42 for Ana"


def test_what_is_missing_or_cannot_stand_there_is_named() -> None:
    assert refusal(TextDrafter("{{a}} {{b}} {{c}}", SPEC), a="x", b=" ") == ("missing_variables", ["b", "c"])
    assert refusal(TextDrafter("{{a}}", SPEC), a="x" * 301) == ("invalid_variables", ["text"])
    assert refusal(of(NUMBERED), header__1="Ana", button__1="x") == ("missing_variables", ["1", "2"])
    everything = {"header__1": "Ana", "1": "a", "2": "b"}
    assert refusal(of(NUMBERED), **everything, button__1="a b") == ("invalid_variables", ["button.1"])
    assert refusal(of(NAMED), name="a\nb", order_id="4\t2") == ("invalid_variables", ["name", "order_id"])
    assert refusal(of(NAMED, as_text=True), name="a", order_id="x" * 300) == ("invalid_variables", ["variables"])
    for unwritable in ("a\0", "\ud800", "x" * 5000):
        for drafter in (TextDrafter("{{name}} {{order_id}}", SPEC), of(NAMED)):
            assert refusal(drafter, name=unwritable, order_id="1") == ("invalid_variables", ["name"])


NAME = st.sampled_from(["1", "2", "name", "order_id"])
PIECE = st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs", "Cc"]), max_size=8)
BODY = st.lists(PIECE | NAME.map(lambda name: f"{{{{{name}}}}}"), max_size=6).map("".join)
BUTTONS = st.lists(
    st.sampled_from([URL, TemplateButton("copy_code", "Copy"), TemplateButton("quick_reply", "Yes"),
                     TemplateButton("otp", "Code"), TemplateButton("phone", "Call", phone="+5511999990000")]),
    max_size=3,
)  # fmt: skip
ANYTHING = st.text(st.characters(), max_size=20) | st.sampled_from(["", " ", "{{1}}", "\0", "\ud800", "x" * 400])
VALUES = st.dictionaries(NAME | st.sampled_from(["header.1", "button.0", "button.1", "button.2", "z"]), ANYTHING)


@st.composite
def drafters(draw: st.DrawFn) -> BulkDrafter:
    body = draw(BODY) + "."
    if draw(st.booleans()):
        return TextDrafter(body, SPEC)
    header = draw(st.none() | st.just("Hi {{name}}") | st.just("Hi"))
    made = template(body, named=draw(st.booleans()), header=header, buttons=tuple(draw(BUTTONS)))
    return of(made, as_text=draw(st.booleans()))


@given(drafters(), VALUES)
def test_every_place_is_filled_or_named(drafter: BulkDrafter, values: dict[str, str]) -> None:
    empty = [place for place in drafter.places if not values.get(place, "").strip()]
    try:
        draft = drafter.draft(values)
    except Invalid as error:
        assert error.errors
        assert error.code == ("missing_variables" if empty else "invalid_variables")
        assert [one.field for one in error.errors] == empty or not empty
        return
    assert empty == []
    assert draft.text is not None and all(values[place] in draft.text for place in drafter.places)
    assert len(draft.text) <= SPEC.max_text or draft.kind is Kind.TEMPLATE
    assert b"\0" not in draft.text.encode()
    assert b"\\u0000" not in orjson.dumps(draft.payload)
    assert drafter.draft(values) == draft


async def test_what_it_is_made_of(
    server: RunningServer, supervisor: ApiClient, make: Make, number: str, plain_number: str
) -> None:
    kernel, theirs, plain = server.kernel, UUID(number), UUID(plain_number)
    order = {"body": "Order {{1}}", "examples": ["42"]}
    made = await make(serviceInstanceId=number, **order)
    ours = await make(**order)
    pictured = await make(serviceInstanceId=number, **order, name="pictured", header={"format": "image"})
    mapped = await make(serviceInstanceId=number, **order, name="mapped", header={"format": "location"})
    png, pdf = UUID(await upload(supervisor, PNG)), UUID(await upload(supervisor, PDF, "a.pdf"))
    place = Location(latitude=1, longitude=2, name="Shop")

    def content(of: dict[str, object], **more: object) -> TemplateContent:
        return TemplateContent(UUID(str(of["id"])), **more)  # type: ignore[arg-type]

    good = [
        (theirs, "Hi {{1}}", Kind.TEXT),
        (theirs, content(made), Kind.TEMPLATE),
        (theirs, content(ours), Kind.TEXT),
        (plain, content(ours), Kind.TEXT),
        (theirs, content(pictured, header_media_id=png), Kind.TEMPLATE),
        (theirs, content(mapped, header_location=place), Kind.TEMPLATE),
    ]
    for instance_id, what, kind in good:
        drafter = await bulk_drafter(kernel, instance_id, what)  # type: ignore[arg-type]
        assert drafter.places == ["1"]
        draft = drafter.draft({"1": "42"})
        assert (draft.kind, draft.media_id) == (kind, getattr(what, "header_media_id", None))
    refused: list[tuple[UUID, object, type[DomainError], str]] = [
        (uuid4(), "Hi", NotFound, "not_found"),
        (theirs, "{{", Invalid, "invalid_text"),
        (theirs, TemplateContent(uuid4()), NotFound, "template_not_found"),
        (plain, content(made), Invalid, "template_of_another_number"),
        (theirs, content(pictured), Invalid, "invalid_template_variables"),
        (theirs, content(made, header_media_id=png), Invalid, "invalid_template_variables"),
        (theirs, content(mapped), Invalid, "invalid_template_variables"),
        (theirs, content(pictured, header_media_id=pdf), Invalid, "media_type_unsupported"),
        (theirs, content(pictured, header_media_id=uuid4()), NotFound, "media_not_found"),
    ]
    for instance_id, what, error, code in refused:
        with pytest.raises(error) as raised:
            await bulk_drafter(kernel, instance_id, what)  # type: ignore[arg-type]
        assert raised.value.code == code
    await kernel.db.execute("UPDATE message_templates SET status = 'PAUSED' WHERE id = $1", UUID(made["id"]))
    with pytest.raises(Conflict):
        await bulk_drafter(kernel, theirs, content(made))
