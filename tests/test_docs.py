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
from elsehu.contracts import errors, inbound, instance, outbound, plugin, rules, template, webhook
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


def test_every_hook_is_in_the_guide() -> None:
    hooks = [name for family in hookspecs.FAMILIES for name in vars(family) if not name.startswith("_")]
    assert [name for name in hooks if f"{name}(" not in TEXT and f"`{name}`" not in TEXT] == []


def test_every_field_of_every_value_is_in_the_guide() -> None:
    modules: list[Any] = [errors, inbound, instance, outbound, plugin, rules, template, webhook]
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
