"""What a plugin is given to work with (`elsehu.plugin`): a route that takes a file, rows, an event on the socket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from elsehu.app import create_app, operations_of
from elsehu.plugin import (
    SUPERVISORS,
    Audience,
    Call,
    Change,
    ConfigError,
    EventType,
    Kernel,
    Operation,
    OutboxEvent,
    PluginInfo,
    Rendered,
    hookimpl,
    new_id,
    origin,
    receive_file,
    record_audit,
    record_events,
)
from elsehu.plugins import installed, load_plugins
from elsehu.settings import Settings
from elsehu.testing.client import ApiClient, log_in_as
from elsehu.testing.serving import running_server
from elsehu.testing.sockets import socket_to

MOST_BYTES = 100_000


@dataclass(frozen=True)
class Entry:
    """An entry point that needs no package."""

    plugin: Any
    value: str = "a plugin of this test"
    dist: None = None

    def load(self) -> Any:
        return self.plugin


def loft_plugin(name: str = "lofts") -> Any:
    """A plugin that counts the lines of a file and tells supervisors."""
    event = "lofts:counted"

    async def render(kernel: Kernel, events: Sequence[OutboxEvent]) -> Mapping[int, Rendered]:
        return {
            one.seq: Rendered({"id": str(one.subject_id), **(one.data or {})}, Audience(SUPERVISORS)) for one in events
        }

    async def count(call: Call[Any, Any]) -> dict[str, Any]:
        async with receive_file(call, MOST_BYTES) as file:
            lines = len(file.path.read_bytes().splitlines())
            told = {"name": file.name, "lines": lines, "size": file.size, "path": str(file.path)}
        async with call.transaction() as uow:
            await record_events(uow, [Change(event, new_id(), data=told)])
            await record_audit(uow, call.caller, "loft_counted", "loft:1", **origin(call.request))
        return {**told, "remains": file.path.exists()}

    return SimpleNamespace(
        plugin_info=hookimpl(lambda: PluginInfo(name, "counts")),
        register_events=hookimpl(lambda: [EventType(event, render)]),
        register_routes=hookimpl(
            lambda: [Operation("POST", f"/api/{name}", count, "Count", name, SUPERVISORS, multipart=True)]
        ),
    )


def with_plugins(settings: Settings, *names: str) -> Any:
    own = settings.model_copy(update={"plugins": {"enabled": [*names, "storage_local"]}})
    return load_plugins(own, {**installed(), **{name: [Entry(loft_plugin(name))] for name in names}})  # type: ignore[list-item]


async def test_an_event_of_a_plugin_reaches_its_audience(settings: Settings) -> None:
    async with running_server(create_app(settings, with_plugins(settings, "lofts"))) as server:
        async with log_in_as(server, "SUPERVISOR") as boss, log_in_as(server, "OPERATOR") as operator:
            async with socket_to(server, boss.token) as his, socket_to(server, operator.token) as hers:
                answer = await boss.post("/api/lofts", files={"file": ("../a/list.csv", b"a\nb\nc\n", "text/csv")})
                assert answer.status_code == 200, answer.text
                counted = answer.json()
                assert (counted["name"], counted["lines"], counted["size"]) == ("list.csv", 3, 6)
                assert not counted["remains"]
                frame = await his.next("lofts:counted")
                assert frame["data"]["lines"] == 3
                await hers.do("inbox:subscribe")
                assert not hers.all("lofts:counted")
            await refusals(boss)
            assert (await operator.post("/api/lofts", files={"file": ("x", b"1")})).status_code == 403
        audited = await server.kernel.db.fetch_value("SELECT count(*) FROM audit_log WHERE action = 'loft_counted'")
        assert audited == 1


async def refusals(boss: ApiClient) -> None:
    async def code(**request: Any) -> tuple[int, str]:
        answer = await boss.post("/api/lofts", **request)
        return answer.status_code, answer.json()["code"]

    assert await code(files={"file": ("x", b"1" * (MOST_BYTES + 1))}) == (413, "too_large")
    assert await code(files={"file": ("x", b"")}) == (422, "invalid_request")
    assert await code(files={"other": ("x", b"1")}) == (422, "invalid_request")
    assert await code(json={}) == (415, "unsupported_media_type")
    form = {"content-type": "multipart/form-data; boundary=b"}
    assert await code(content=b"--b\r\n", headers=form) == (400, "malformed_multipart")


def test_what_two_plugins_claim_refuses_to_start(settings: Settings) -> None:
    one, two = loft_plugin("lofts"), loft_plugin("coops")
    two.register_routes = one.register_routes
    found = {**installed(), "lofts": [Entry(one)], "coops": [Entry(two)]}
    own = settings.model_copy(update={"plugins": {"enabled": ["lofts", "coops", "storage_local"]}})
    with pytest.raises(ConfigError) as refused:
        operations_of(load_plugins(own, found))  # type: ignore[arg-type]
    assert refused.value.code == "route_conflict"
    assert "POST /api/lofts" in refused.value.detail
    with pytest.raises(ConfigError) as refused:
        create_app(settings, with_plugins(settings, "lofts", "coops"))
    assert refused.value.code == "event_conflict"
    assert "'lofts:counted'" in refused.value.detail
