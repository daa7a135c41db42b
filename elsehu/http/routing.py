"""Which route answered, as it may be logged."""

from collections.abc import Mapping
from typing import Any


def route_of(scope: Mapping[str, Any]) -> str:
    """Return the template of the route that answered, `/api/users/{id}`; never what somebody put into the path.

    A path can hold a webhook's secret, and a path that no route has can hold anything.
    """
    if "endpoint" not in scope:
        return "unmatched"
    names = {str(value): f"{{{name}}}" for name, value in scope.get("path_params", {}).items()}
    segments = scope["path"].split("/")
    if not names.keys() <= set(segments):
        return str(getattr(scope["endpoint"], "__name__", "unknown"))
    return "/".join(names.get(segment, segment) for segment in segments)
