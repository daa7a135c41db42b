"""The account's templates: listed, created, edited, deleted (Meta Cloud API reference, section 5.2)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from elsehu.plugin import Instance, PluginContext, ProviderTemplate, Rejected

from .client import Graph, GraphFailure, account_id, graph_of
from .failures import error_of
from .flavours import id_of, text
from .paging import pages_of
from .template_parts import components_of, template_of
from .template_states import own_word, template_status

FIELDS = "id,name,language,status,category,components,parameter_format,rejected_reason,quality_score"


async def pages(context: PluginContext, instance: Instance) -> AsyncIterator[Sequence[ProviderTemplate]]:
    """Yield all templates of the account, page by page. Raises Retryable, Rejected or InstanceSick."""
    async for page in _pages(graph_of(context, instance), instance, {}):
        yield page


async def save(context: PluginContext, instance: Instance, template: ProviderTemplate) -> ProviderTemplate:
    """Create a template, or replace the components of one that is there; return what Meta made of it.

    Meta may approve or reject it at once, and put it into another category. Raises as `pages` does.
    """
    graph = graph_of(context, instance)
    if template.external_id is not None:
        changed = {"category": template.category, "components": components_of(template)}
        await graph.ask("POST", template.external_id, body=changed)
        return template_of(await graph.ask("GET", template.external_id, params={"fields": FIELDS})) or template
    wanted = {
        "name": template.name,
        "language": template.language,
        "category": template.category,
        "parameter_format": "NAMED" if template.named else "POSITIONAL",
        "components": components_of(template),
    }
    answer = await graph.ask("POST", f"{account_id(instance)}/message_templates", body=wanted)
    word = text(answer.get("status")) or ""
    return replace(
        template,
        external_id=id_of(answer.get("id")),
        status=template_status(word),
        reason=own_word(word) or None,
        category=text(answer.get("category")) or template.category,
    )


async def delete(context: PluginContext, instance: Instance, template: ProviderTemplate) -> None:
    """Delete one language of a template; the name alone would delete all. One that is not there is no error."""
    graph = graph_of(context, instance)
    external_id = template.external_id or await _find(graph, instance, template)
    if external_id is None:
        return
    path = f"{account_id(instance)}/message_templates"
    try:
        await graph.try_to_ask("DELETE", path, params={"hsm_id": external_id, "name": template.name})
    except GraphFailure as error:
        refusal = error_of(error.failure)
        if not isinstance(refusal, Rejected) or await _find(graph, instance, template) is not None:
            raise refusal from None


async def _find(graph: Graph, instance: Instance, template: ProviderTemplate) -> str | None:
    """Return Meta's id of a template of this name and language, or None."""
    async for page in _pages(graph, instance, {"name": template.name}):
        for one in page:
            if (one.name, one.language) == (template.name, template.language):
                return one.external_id
    return None


async def _pages(
    graph: Graph, instance: Instance, filters: Mapping[str, str]
) -> AsyncIterator[Sequence[ProviderTemplate]]:
    async for page in pages_of(graph, f"{account_id(instance)}/message_templates", {"fields": FIELDS, **filters}):
        yield [found for one in page if (found := template_of(one))]
