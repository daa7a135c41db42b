"""Templates as rows, and as providers know them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from elsehu.contracts.template import ProviderTemplate, TemplateButton, TemplateHeader, TemplateStatus

CONTENT = {
    "category": "text",
    "status": "text",
    "reason": "text",
    "quality": "text",
    "header": "jsonb",
    "body": "text",
    "footer": "text",
    "buttons": "jsonb",
    "named": "boolean",
    "examples": "jsonb",
    "supported": "boolean",
    "external_id": "text",
}
"""The columns that a provider decides, and their types."""

LONGEST_NAME = 512
LONGEST_LANGUAGE = 20
LONGEST_WORD = 20
LONGEST_EXTERNAL_ID = 100


def template_of(row: Mapping[str, Any]) -> ProviderTemplate:
    """Return the template that a row holds."""
    header = orjson.loads(row["header"]) if row["header"] else None
    return ProviderTemplate(
        name=row["name"],
        language=row["language"],
        category=row["category"],
        status=TemplateStatus(row["status"]),
        body=row["body"],
        header=TemplateHeader(**header) if header else None,
        footer=row["footer"] or None,
        buttons=tuple(TemplateButton(**button) for button in orjson.loads(row["buttons"])),
        named=row["named"],
        examples=tuple(orjson.loads(row["examples"])),
        external_id=row["external_id"],
        quality=row["quality"] or None,
        reason=row["reason"] or None,
        supported=row["supported"],
    )


def columns_of(template: ProviderTemplate) -> dict[str, Any]:
    """Return the columns of a template: its key, and those of CONTENT, JSON-ready."""
    return {
        "name": template.name,
        "language": template.language,
        "category": template.category[:LONGEST_WORD],
        "status": template.status,
        "reason": template.reason or "",
        "quality": (template.quality or "")[:LONGEST_WORD],
        "header": asdict(template.header) if template.header else None,
        "body": template.body,
        "footer": template.footer or "",
        "buttons": [asdict(button) for button in template.buttons],
        "named": template.named,
        "examples": list(template.examples),
        "supported": template.supported,
        "external_id": template.external_id,
    }


def can_be_named(name: str, language: str, external_id: str | None) -> bool:
    """Whether there is room for the names that a provider has for a template."""
    return (
        0 < len(name) <= LONGEST_NAME
        and 0 < len(language) <= LONGEST_LANGUAGE
        and len(external_id or "") <= LONGEST_EXTERNAL_ID
    )
