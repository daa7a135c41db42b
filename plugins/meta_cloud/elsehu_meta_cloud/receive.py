"""Placeholder until webhooks are received."""

from collections.abc import Sequence

from elsehu.plugin import Accepted, Challenge, Instance, WebhookRejected, WebhookRequest


def receive(
    request: WebhookRequest, instances: Sequence[Instance], siblings: Sequence[Instance]
) -> Accepted | Challenge:
    """Refuse everything."""
    raise WebhookRejected("webhooks_not_received", "Webhooks of Meta are not received yet.")
