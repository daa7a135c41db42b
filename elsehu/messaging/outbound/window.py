"""The service window: where a provider has one, free messages go only for so long after the customer wrote."""

from datetime import datetime

from elsehu.contracts.message import Kind
from elsehu.contracts.plugin import ProviderSpec


def is_closed(spec: ProviderSpec, kind: Kind, expires_at: datetime | None, now: datetime) -> bool:
    """Whether the provider takes no message of `kind` any more. Templates go at any time."""
    if spec.window_hours is None or kind is Kind.TEMPLATE:
        return False
    return expires_at is None or expires_at <= now
