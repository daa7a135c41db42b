"""Lists that Meta tells page by page (Meta Cloud API reference, sections 5.2 and 11)."""

from collections.abc import AsyncIterator, Mapping, Sequence

from .client import Graph
from .failures import Json
from .flavours import listed, mapping, text

PAGE = "100"
MOST_PAGES = 200


async def pages_of(graph: Graph, path: str, params: Mapping[str, str]) -> AsyncIterator[Sequence[Json]]:
    """Yield the objects of each page, for as long as Meta says that there is another. Raises as `Graph.ask` does."""
    asked = {"limit": PAGE, **params}
    for _ in range(MOST_PAGES):
        answer = await graph.ask("GET", path, params=asked)
        yield [mapping(one) for one in listed(answer, "data")]
        paging = mapping(answer.get("paging"))
        after = text(mapping(paging.get("cursors")).get("after"))
        if not paging.get("next") or after is None:
            return
        asked["after"] = after
