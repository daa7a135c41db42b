"""The templates of a number's account, kept in its phone's state: approved at once, unless a fault is due."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from elsehu.plugin import Instance, PluginContext, ProviderTemplate, Rejected, TemplateStatus
from elsehu_sandbox.customer import new_id
from elsehu_sandbox.faults import TemplateFault, take
from elsehu_sandbox.phone import Line, phone_of, type_of

PAGE = 50
NEWS = ("status", "category", "quality", "reason")


def pages(context: PluginContext, instance: Instance) -> Iterator[Sequence[ProviderTemplate]]:
    """Yield all templates, page by page."""
    templates = phone_of(context, instance).state().templates
    for start in range(0, len(templates), PAGE):
        yield templates[start : start + PAGE]


def save(context: PluginContext, instance: Instance, template: ProviderTemplate) -> ProviderTemplate:
    """Create or edit a template; return what became of it. Raises Rejected for a name that is taken, or by a fault."""
    with phone_of(context, instance).changing() as state:
        others = [one for one in state.templates if one.external_id != template.external_id]
        if any(_key(one) == _key(template) for one in others):
            raise Rejected("template_exists", "There is a template of this name in this language already.", "2388024")
        fault = take(state.faults, TemplateFault)
        if fault is None or not fault.refuse:
            template = _judged(template, fault)
            state.templates = [*others, template]
    if fault and fault.refuse:
        raise Rejected("template_refused", f"The sandbox was told to refuse this template: {fault.reason}.", "100")
    return template


def _judged(template: ProviderTemplate, fault: TemplateFault | None) -> ProviderTemplate:
    status, reason = (fault.status, fault.reason) if fault else (TemplateStatus.APPROVED, None)
    return replace(template, external_id=template.external_id or new_id(), status=status, reason=reason)


def delete(context: PluginContext, instance: Instance, template: ProviderTemplate) -> None:
    """Delete one language of a template."""
    with phone_of(context, instance).changing() as state:
        state.templates = [one for one in state.templates if _key(one) != _key(template)]


def follow(context: PluginContext, instance: Instance, lines: Sequence[Line]) -> None:
    """Have the account agree with what webhooks were made to say of its templates."""
    news = [line for line in lines if type_of(line) == "template"]
    if not news:
        return
    with phone_of(context, instance).changing() as state:
        for line in news:
            state.templates = [_after(one, line) for one in state.templates]


def _after(template: ProviderTemplate, line: Line) -> ProviderTemplate:
    if _key(template) != (line.get("name"), line.get("language")):
        return template
    changes: dict[str, Any] = {name: line[name] for name in NEWS if line.get(name) is not None}
    if "status" in changes:
        changes = {"reason": None, **changes, "status": TemplateStatus(changes["status"])}
    return replace(template, **changes)


def _key(template: ProviderTemplate) -> tuple[str, str]:
    return template.name, template.language
