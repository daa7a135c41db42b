"""The account's templates: listed, created, edited, deleted (reference, section 5.2)."""

from typing import Any

import pytest
from elsehu_meta_cloud import provider_delete_template, provider_save_template, provider_templates
from elsehu_meta_cloud.template_parts import components_of, template_of

from elsehu.plugin import ProviderTemplate, Rejected, TemplateButton, TemplateHeader, TemplateStatus

from .standin_fixtures import World

BODY = {"type": "BODY", "text": "Oi"}


async def listed(world: World) -> list[ProviderTemplate]:
    pages = provider_templates(world.context, world.instance())
    return [one async for page in pages for one in page]


def template(**changes: Any) -> ProviderTemplate:
    usual: dict[str, Any] = {
        "name": "pedido",
        "language": "pt_BR",
        "category": "UTILITY",
        "status": TemplateStatus.PENDING,
        "body": "Olá {{1}}, seu pedido {{2}} saiu.",
        "examples": ("Ana", "123"),
    }
    return ProviderTemplate(**(usual | changes))


async def test_all_pages_are_read(world: World) -> None:
    for number in range(250):
        world.standin.call("add_template", name=f"t{number}", components=[BODY])
    assert [one.name for one in await listed(world)] == [f"t{number}" for number in range(250)]
    assert len(world.standin.requests) == 3


async def test_an_account_without_templates_has_none(world: World) -> None:
    assert await listed(world) == []


PARTS: list[tuple[str, ProviderTemplate, list[dict[str, Any]]]] = [
    (
        "positional, with everything",
        template(
            header=TemplateHeader("text", "Loja {{1}}", "Centro"),
            footer="Obrigado",
            buttons=[
                TemplateButton("quick_reply", "Sim"),
                TemplateButton("url", "Ver", "https://x.example/{{1}}", example="https://x.example/a"),
                TemplateButton("phone", "Ligar", phone="+5511988887777"),
            ],
        ),
        [
            {"type": "HEADER", "format": "TEXT", "text": "Loja {{1}}", "example": {"header_text": ["Centro"]}},
            {
                "type": "BODY",
                "text": "Olá {{1}}, seu pedido {{2}} saiu.",
                "example": {"body_text": [["Ana", "123"]]},
            },
            {"type": "FOOTER", "text": "Obrigado"},
            {
                "type": "BUTTONS",
                "buttons": [
                    {"type": "QUICK_REPLY", "text": "Sim"},
                    {
                        "type": "URL",
                        "text": "Ver",
                        "url": "https://x.example/{{1}}",
                        "example": ["https://x.example/a"],
                    },
                    {"type": "PHONE_NUMBER", "text": "Ligar", "phone_number": "+5511988887777"},
                ],
            },
        ],
    ),
    (
        "named",
        template(
            named=True,
            header=TemplateHeader("text", "Loja {{loja}}", "Centro"),
            body="{{nome}} e {{outro}} e {{nome}}",
            examples=("Ana", "Bia"),
        ),
        [
            {
                "type": "HEADER",
                "format": "TEXT",
                "text": "Loja {{loja}}",
                "example": {"header_text_named_params": [{"param_name": "loja", "example": "Centro"}]},
            },
            {
                "type": "BODY",
                "text": "{{nome}} e {{outro}} e {{nome}}",
                "example": {
                    "body_text_named_params": [
                        {"param_name": "nome", "example": "Ana"},
                        {"param_name": "outro", "example": "Bia"},
                    ]
                },
            },
        ],
    ),
    (
        "under an image",
        template(header=TemplateHeader("image", example="handle"), body="Oi", examples=()),
        [{"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["handle"]}}, BODY],
    ),
    (
        "under a place",
        template(header=TemplateHeader("location"), body="Oi", examples=()),
        [{"type": "HEADER", "format": "LOCATION"}, BODY],
    ),
]


@pytest.mark.parametrize(("ours", "components"), [one[1:] for one in PARTS], ids=[one[0] for one in PARTS])
async def test_a_template_goes_to_meta_and_comes_back_the_same(
    world: World, ours: ProviderTemplate, components: list[dict[str, Any]]
) -> None:
    assert components_of(ours) == components
    made = await provider_save_template(world.context, world.instance(), ours)
    assert (made.status, made.external_id is not None) == (TemplateStatus.PENDING, True)
    (found,) = await listed(world)
    assert (found.body, found.header, found.footer) == (ours.body, ours.header, ours.footer)
    assert (list(found.buttons), list(found.examples)) == (list(ours.buttons), list(ours.examples))
    assert (found.named, found.external_id, found.supported) == (ours.named, made.external_id, True)


async def test_an_edit_replaces_the_components(world: World) -> None:
    external_id = world.standin.call("add_template", name="pedido", components=[BODY])
    edited = await provider_save_template(world.context, world.instance(), template(external_id=external_id))
    assert (edited.status, edited.body) == (TemplateStatus.PENDING, "Olá {{1}}, seu pedido {{2}} saiu.")
    assert len(await listed(world)) == 1


async def test_metas_refusal_of_a_template_is_told_in_its_words(world: World) -> None:
    with pytest.raises(Rejected) as error:
        await provider_save_template(world.context, world.instance(), template(examples=()))
    assert "example" in error.value.detail


async def test_one_language_is_deleted_and_what_is_gone_is_no_error(world: World) -> None:
    ids = {}
    for language in ("pt_BR", "en"):
        ids[language] = world.standin.call("add_template", name="pedido", language=language, components=[BODY])
    known = template(external_id=ids["pt_BR"])
    await provider_delete_template(world.context, world.instance(), known)
    assert [one.language for one in await listed(world)] == ["en"]
    await provider_delete_template(world.context, world.instance(), known)
    await provider_delete_template(world.context, world.instance(), template())
    assert [one.language for one in await listed(world)] == ["en"]
    await provider_delete_template(world.context, world.instance(), template(language="en"))
    assert await listed(world) == []


async def test_a_refused_deletion_is_an_error(world: World) -> None:
    external_id = world.standin.call("add_template", name="pedido", components=[BODY])
    world.standin.refuse(100, on="DELETE *")
    with pytest.raises(Rejected):
        await provider_delete_template(world.context, world.instance(), template(external_id=external_id))


LISTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("a carousel cannot be sent", {"components": [BODY, {"type": "CAROUSEL", "cards": []}]}, {"supported": False}),
    (
        "nor can an unknown button",
        {"components": [BODY, {"type": "BUTTONS", "buttons": [{"type": "SPM", "text": "x"}]}]},
        {"supported": False},
    ),
    ("nor an unknown header", {"components": [{"type": "HEADER", "format": "GIF"}, BODY]}, {"supported": False}),
    ("a status in lower case", {"status": "approved"}, {"status": TemplateStatus.APPROVED, "reason": None}),
    ("a finer status", {"status": "FLAGGED"}, {"status": TemplateStatus.APPROVED, "reason": "FLAGGED"}),
    (
        "a rejection",
        {"status": "REJECTED", "rejected_reason": "SCAM"},
        {"status": TemplateStatus.REJECTED, "reason": "SCAM"},
    ),
    ("a quality", {"quality_score": {"score": "GREEN", "date": 1}}, {"quality": "GREEN"}),
    (
        "a one-time password, whose button is listed as a URL",
        {
            "category": "AUTHENTICATION",
            "components": [
                {"type": "BODY", "text": "{{1}}", "example": {"body_text": [["1"]]}},
                {
                    "type": "BUTTONS",
                    "buttons": [{"type": "URL", "text": "C", "url": "https://w.example/otp/?code=otp{{1}}"}],
                },
            ],
        },
        {"buttons": [TemplateButton("otp", "C", "https://w.example/otp/?code=otp{{1}}")]},
    ),
    ("no components", {"components": None}, {"body": "", "supported": True}),
    ("ids as numbers", {"id": 123}, {"external_id": "123"}),
]


@pytest.mark.parametrize(("said", "wanted"), [one[1:] for one in LISTED], ids=[one[0] for one in LISTED])
def test_what_meta_lists_is_understood(said: dict[str, Any], wanted: dict[str, Any]) -> None:
    usual = {"id": "1", "name": "a", "language": "en", "status": "APPROVED", "components": [BODY]}
    found = template_of({**usual, **said})
    assert found is not None
    assert {name: getattr(found, name) for name in wanted} == wanted


def test_a_template_without_a_name_is_none() -> None:
    assert template_of({"id": "1"}) is None
