"""The real `elsehu` program, in a process and a directory of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Install = Callable[..., None]

PLUGIN = """
from elsehu.plugin import HOOK_API, PluginInfo, hookimpl

@hookimpl
def plugin_info():
    return PluginInfo({name!r}, "a plugin for a test"{more})
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `elsehu <arguments>` in the test's directory; keyword arguments are environment variables."""

    def elsehu(*arguments: str, seconds: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(
            [sys.executable, "-m", "elsehu", *arguments],
            cwd=tmp_path,
            env={**kept, "COLUMNS": "200", "PYTHONPATH": str(tmp_path / "site"), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    return elsehu


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Install a plugin package made on the fly: its module is `code`, or what a plugin must have and then `code`."""

    def make(
        name: str, code: str = "", *, package: str | None = None, more: str = "", whole: str | None = None
    ) -> None:
        package = package or f"acme_{name}"
        site = tmp_path / "site"
        info = site / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[elsehu]\n{name} = {package}\n")
        (site / f"{package}.py").write_text(PLUGIN.format(name=name, more=more) + dedent(code))

    return make
