"""The JSON schemas behind the OpenAPI document."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from elsehu.http.operations import Operation
from elsehu.http.schemas import Problem

Json = dict[str, Any]

REF = "#/components/schemas/{model}"


class Schemas:
    """The JSON schemas of all requests and answers, generated together so that they share their parts."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        wanted: dict[tuple[Any, str], Any] = {(Problem, "serialization"): None}
        for one in operations:
            wanted[(one.query, "validation")] = None
            if one.body is not None:
                wanted[(one.body, "validation")] = None
            for answer in (one.answer, one.accepted):
                if answer is not None:
                    wanted[(answer, "serialization")] = None
        inputs: Any = [(kind, mode, TypeAdapter(kind)) for kind, mode in wanted]
        found, shared = TypeAdapter.json_schemas(inputs, ref_template=REF)
        self._found: Mapping[Any, Json] = found
        self._shared: Json = shared.get("$defs", {})
        self._queries = {one.query for one in operations}

    def request(self, kind: Any) -> Json:
        """Return the schema of what is taken."""
        return self._found[(kind, "validation")]

    def answer(self, kind: Any) -> Json:
        """Return the schema of what is given."""
        return self._found[(kind, "serialization")]

    def fields(self, query: Any) -> Json:
        """Return a query model's schema itself, not a reference to it."""
        schema = self.request(query)
        name = schema.get("$ref", "").rpartition("/")[2]
        own: Json = self._shared.get(name, schema)
        return own

    def components(self) -> Json:
        """Return the shared schemas, without those of queries, which are written out as parameters."""
        queries = {self.request(query).get("$ref", "").rpartition("/")[2] for query in self._queries}
        return {name: schema for name, schema in self._shared.items() if name not in queries}
