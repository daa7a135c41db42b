"""What docs/plugins.md shows works, and it leaves nothing out."""

import dataclasses
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from elsehu import hookspecs
from elsehu.contracts import errors, inbound, instance, outbound, plugin, report, rules, template, webhook
from elsehu.ids import new_id
from elsehu.kernel import Kernel
from elsehu.plugin import ContactRow, upsert_contacts
from elsehu.plugins import installed, load_plugins
from elsehu.settings import Settings
from elsehu.testing.provider_suite import CHECKS, ProviderConformance

from . import guide

TEXT = guide.GUIDE.read_text()


def test_the_provider_of_the_guide_passes_the_check(tmp_path: Path) -> None:
    guide.install(tmp_path / "site", guide.files())
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "elsehu", "plugin", "check", "pigeon"],
        cwd=tmp_path,
        env={**kept, "COLUMNS": "150", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().splitlines()[-1] in TEXT, "the guide shows another last line"
    for check in CHECKS:
        assert check.name.split()[0] in done.stdout


@dataclass(frozen=True)
class Entry:
    module: ModuleType
    value: str = "elsehu_pigeon"
    dist: None = None

    def load(self) -> ModuleType:
        return self.module


def test_what_the_guide_registers_can_be_registered() -> None:
    [code] = [block for block in guide.code_blocks() if "register_routes" in block]
    module = ModuleType("elsehu_pigeon")
    exec(compile(code, str(guide.GUIDE), "exec"), module.__dict__)
    exec(
        "from elsehu.plugin import PluginInfo\n@hookimpl\ndef plugin_info(): return PluginInfo('pigeon', 'x')",
        module.__dict__,
    )
    settings = Settings(plugins={"enabled": ["pigeon", "storage_local"]})
    plugins = load_plugins(settings, {**installed(), "pigeon": [Entry(module)]})  # type: ignore[list-item]
    [(_, operation)] = plugins.registered("register_routes")
    assert (operation.path, operation.creates) == ("/api/pigeon/lofts", True)
    [(_, job)] = plugins.registered("register_jobs")
    assert job.name == "pigeon.feed"
    [(_, event)] = plugins.registered("register_events")
    assert event.name == "pigeon:loft"


async def test_what_the_guide_sends_in_bulk_is_queued_and_withdrawn(kernel: Kernel) -> None:
    [code] = [block for block in guide.code_blocks() if "queue_messages" in block]
    shown: dict[str, Any] = {}
    exec(compile(code, str(guide.GUIDE), "exec"), shown)
    instance_id = new_id()
    sealed = kernel.secrets.encrypt(b"{}")
    await kernel.db.execute(
        "INSERT INTO service_instances (id, name, provider, status, credentials, state, webhook_secret, settings) "
        "VALUES ($1, 'loft', 'sandbox', 'connected', $2, $2, $2, '{}')",
        instance_id,
        sealed,
    )
    async with kernel.db.transaction() as uow:
        rows = [ContactRow(f"551198888000{place}", name=f"Ana {place}") for place in range(3)]
        people = [one.contact_id for one in await upsert_contacts(uow, rows)]
    ids = [new_id() for _ in people]
    variables: list[dict[str, str]] = [
        {"name": "Ana", "when": "today"},
        {"name": "Bia"},
        {"name": "Eva", "when": "now"},
    ]
    lane_id = await shown["make_lane"](kernel, instance_id)
    rows_of = list(zip(ids, people, variables, strict=True))
    assert await shown["announce"](kernel, instance_id, lane_id, rows_of) == {ids[1]: ["when"]}
    again = await shown["announce"](kernel, instance_id, lane_id, rows_of)
    assert again == {ids[1]: ["when"], ids[0]: "already_queued", ids[2]: "already_queued"}
    texts = await kernel.db.fetch("SELECT text FROM public_messages WHERE lane_id = $1 ORDER BY seq", lane_id)
    assert [row["text"] for row in texts] == [
        f"Dear {one}, your pigeon lands {at}." for one, at in (("Ana", "today"), ("Eva", "now"))
    ]
    assert set(await shown["stop"](kernel, lane_id)) == {ids[0], ids[2]}
    assert not await kernel.db.fetch("SELECT 1 FROM public_messages")


async def test_every_column_that_plugins_may_read_is_in_the_guide(kernel: Kernel) -> None:
    sql = "SELECT table_name AS view, column_name AS name FROM information_schema.columns WHERE table_name ~ '^public_'"
    rows = await kernel.db.fetch(sql)
    lines = dict(re.findall(r"^\| `(public_\w+)` \| (.*)$", TEXT, re.MULTILINE))
    assert {row["view"] for row in rows} == set(lines)
    assert [row["name"] for row in rows if f"`{row['name']}`" not in lines[row["view"]]] == []


def test_every_hook_is_in_the_guide() -> None:
    hooks = [name for family in hookspecs.FAMILIES for name in vars(family) if not name.startswith("_")]
    assert [name for name in hooks if f"{name}(" not in TEXT and f"`{name}`" not in TEXT] == []


def test_every_field_of_every_value_is_in_the_guide() -> None:
    modules: list[Any] = [errors, inbound, instance, outbound, plugin, report, rules, template, webhook]
    fields = [
        (name, field.name)
        for module in modules
        for name, value in vars(module).items()
        if dataclasses.is_dataclass(value) and value.__module__ == module.__name__ and name != "FieldError"
        for field in dataclasses.fields(value)
    ]
    assert [(name, field) for name, field in fields if name not in TEXT or not re.search(rf"\b{field}\b", TEXT)] == []


def test_everything_that_can_be_declared_is_in_the_guide() -> None:
    names = [name for name in vars(ProviderConformance) if not name.startswith("_")]
    assert [name for name in names if f"`{name}`" not in TEXT and f"`{name}(" not in TEXT] == []
