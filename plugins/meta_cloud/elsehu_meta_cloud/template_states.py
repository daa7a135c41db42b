"""Meta's words for how a template stands, and what they mean for sending it (reference, section 5.2)."""

from collections.abc import Mapping
from typing import Any

from elsehu.plugin import TemplateStatus

STATES: Mapping[str, TemplateStatus] = {
    "APPROVED": TemplateStatus.APPROVED,
    "FLAGGED": TemplateStatus.APPROVED,
    "REINSTATED": TemplateStatus.APPROVED,
    "PENDING": TemplateStatus.PENDING,
    "IN_APPEAL": TemplateStatus.PENDING,
    "REJECTED": TemplateStatus.REJECTED,
    "PAUSED": TemplateStatus.PAUSED,
    "DISABLED": TemplateStatus.DISABLED,
    "PENDING_DELETION": TemplateStatus.DISABLED,
    "DELETED": TemplateStatus.DISABLED,
    "LIMIT_EXCEEDED": TemplateStatus.DISABLED,
    "ARCHIVED": TemplateStatus.DISABLED,
    "LOCKED": TemplateStatus.DISABLED,
}


def template_status(word: Any) -> TemplateStatus:
    """Return what Meta's `word` means, in any case; one that is not known cannot be sent (`PENDING`)."""
    return STATES.get(word.upper(), TemplateStatus.PENDING) if type(word) is str else TemplateStatus.PENDING


def own_word(word: str) -> str:
    """Return Meta's `word` where ours says less, else nothing."""
    return "" if word.upper() == template_status(word) else word.upper()
