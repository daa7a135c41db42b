"""The commented `elsehu.toml` of this repository shows every key with its default."""

import re
import tomllib
from pathlib import Path
from typing import Any

from elsehu.configuration import load_settings
from elsehu.environment import Key, keys
from elsehu.plugins import load_plugins
from elsehu.plugins.loading import installed
from elsehu.settings import DEFAULT_PLUGINS, Settings

FILE = Path(__file__).parents[2] / "elsehu.toml"
COMMENTED_KEY = re.compile(r"^#(?=[a-z_0-9]+ = )", re.MULTILINE)


def shown() -> dict[str, Any]:
    return tomllib.loads(COMMENTED_KEY.sub("", FILE.read_text(encoding="utf-8")))


def leaves(tree: dict[str, Any], above: Key = ()) -> dict[Key, Any]:
    found: dict[Key, Any] = {}
    for name, value in tree.items():
        found |= leaves(value, (*above, name)) if isinstance(value, dict) else {(*above, name): value}
    return found


def test_as_it_is_it_comes_to_the_defaults() -> None:
    assert load_settings(FILE, {}).model_dump() == Settings().model_dump()


def test_it_shows_every_key_in_the_order_of_the_models() -> None:
    assert list(leaves(shown())) == [*(key for key, _ in keys()), ("plugins", "enabled")]


def test_what_it_shows_is_the_default_or_an_example_of_what_has_none(tmp_path: Path) -> None:
    values = leaves(shown())
    assert values.pop(("plugins", "enabled")) == list(DEFAULT_PLUGINS)
    for key, field in keys():
        default = str(field.default) if isinstance(field.default, Path) else field.default
        assert values[key] == default or default is None, key
    everything = tmp_path / "elsehu.toml"
    everything.write_text(COMMENTED_KEY.sub("", FILE.read_text(encoding="utf-8")), encoding="utf-8")
    load_settings(everything, {})


def test_the_tables_of_plugins_that_it_shows_are_taken(tmp_path: Path) -> None:
    text = re.sub(
        r"^#(?:  (?=[a-z_0-9]+ = )|(?=\[plugins\.))", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    tables = tomllib.loads(text)["plugins"]
    assert set(tables) == {"campaigns", "storage_local", "storage_s3"}
    if "campaigns" not in installed():
        before, _, after = text.partition("[plugins.campaigns]")
        text = before + after[after.index("[plugins.") :]
        del tables["campaigns"]
    everything = tmp_path / "elsehu.toml"
    everything.write_text(text.replace("[plugins]", f"[plugins]\nenabled = {list(tables)}"), encoding="utf-8")
    load_plugins(load_settings(everything, {}))
