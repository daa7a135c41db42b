"""Placeholder until webhooks are received."""

from elsehu.plugin import Accepted, Normalized


def normalize(accepted: Accepted) -> Normalized:
    """Find nothing."""
    return Normalized(raw=accepted.payload)
