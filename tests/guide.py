"""The packages that docs/plugins.md shows, as somebody would make them who follows it."""

import re
from pathlib import Path

GUIDE = Path(__file__).parents[1] / "docs" / "plugins.md"
NAMED_FILE = re.compile(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files() -> dict[str, str]:
    """Return the files of the guide's provider, by their paths."""
    return dict(NAMED_FILE.findall(GUIDE.read_text()))


def code_blocks() -> list[str]:
    """Return every block of Python in the guide."""
    return CODE.findall(GUIDE.read_text())


def install(site: Path, sources: dict[str, str]) -> None:
    """Write the package into `site` and install it as pip does: beside a folder with its entry points."""
    for name, text in sources.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    info = site / "elsehu_pigeon-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsehu-pigeon\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(_entry_points(sources["pyproject.toml"]))


def _entry_points(pyproject: str) -> str:
    import tomllib

    groups = tomllib.loads(pyproject)["project"]["entry-points"]
    lines = [
        line for name, group in groups.items() for line in [f"[{name}]", *(f"{k} = {v}" for k, v in group.items())]
    ]
    return "\n".join(lines) + "\n"
