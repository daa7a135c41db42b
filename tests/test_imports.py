"""The floors of docs/architecture.md: a file imports its own floor's earlier entries or lower floors, never upward."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS: list[list[str]] = [
    [
        "lean_imports",
        "requests",
        "ids",
        "clock",
        "phones",
        "tolerant_json",
        "secretbox",
        "columns",
        "die_with_parent",
        "tasks",
        "public_addresses",
    ],
    ["contracts", "settings", "environment", "configuration", "listening", "hookspecs", "sheets"],
    ["embedded", "processes", "db", "bus", "signals", "cache", "metrics", "form_data", "http_client", "public_fetch"],
    ["plugins", "kernel", "schema", "migrating"],
    ["background", "jobs", "http", "events", "realtime"],
    ["identity", "instances", "media", "messaging", "desk", "reporting", "plugin"],
    [
        "services",
        "first_start",
        "known_jobs",
        "backup",
        "health",
        "doctor",
        "measuring",
        "app",
        "web",
        "worker",
        "piccolo_conf",
        "testing",
        "cli",
        "__main__",
    ],
]
ORDER = {name: place for place, name in enumerate(name for floor in FLOORS for name in floor)}
FOREIGN_TO_CONTRACTS = {"piccolo", "starlette", "redis", "rq", "asyncpg", "httpx"}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "elsehu":
            yield from (f"elsehu.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def kernel_files() -> list[Path]:
    return sorted((ROOT / "elsehu").rglob("*.py"))


def part_of(file: Path) -> str:
    first = file.relative_to(ROOT / "elsehu").parts[0]
    return first.removesuffix(".py")


def kernel_parts(file: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(file) if name.startswith("elsehu.") and name != "elsehu.__version__"}


@pytest.mark.parametrize("file", kernel_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_imports_upward(file: Path) -> None:
    if file == ROOT / "elsehu" / "__init__.py":
        return
    part = part_of(file)
    upward = {name for name in kernel_parts(file) if ORDER[name] > ORDER[part]}
    if "piccolo_migrations" in file.parts:
        upward.discard("migrating")
    assert not upward


def test_every_part_has_its_floor() -> None:
    assert {part_of(file) for file in kernel_files()} - {"__init__"} == set(ORDER)


def test_contracts_know_no_library_but_pydantic() -> None:
    for file in (ROOT / "elsehu" / "contracts").glob("*.py"):
        assert not FOREIGN_TO_CONTRACTS & {name.split(".")[0] for name in imports(file)}, file


def test_the_kernel_knows_no_plugin() -> None:
    for file in kernel_files():
        assert not [name for name in imports(file) if name.startswith("elsehu_")], file


def test_httpx_is_imported_in_one_place() -> None:
    users = {part_of(file) for file in kernel_files() if any(name.split(".")[0] == "httpx" for name in imports(file))}
    assert users == {"http_client", "testing"}


@pytest.mark.parametrize("plugin", sorted((ROOT / "plugins").iterdir()), ids=lambda folder: str(folder.name))
def test_plugins_import_only_what_is_public(plugin: Path) -> None:
    for file in plugin.rglob("*.py"):
        allowed = {"plugin", "testing"} if {"tests", "testing"} & set(file.parts) else {"plugin"}
        assert kernel_parts(file) <= allowed, file
