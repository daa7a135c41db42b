"""`elsehu plugin check`, where there is nothing to check or little. tests/test_docs.py runs it whole."""

from pathlib import Path

from .conftest import Install, Run


def test_a_plugin_that_is_not_installed(run: Run) -> None:
    done = run("plugin", "check", "pigeon")
    assert done.returncode == 2
    assert "No plugin 'pigeon' is installed" in done.stderr
    assert "pip install -e ." in done.stderr


def test_a_plugin_that_declares_nothing(run: Run, install: Install) -> None:
    install("quiet")
    done = run("plugin", "check", "quiet")
    assert done.returncode == 0, done.stderr
    assert '[project.entry-points."elsehu.conformance"]' in done.stderr
    assert "3 passed, 2 skipped" in done.stdout


def test_a_plugin_that_fails(run: Run, install: Install) -> None:
    install("lax", "from pydantic import BaseModel\nclass Lax(BaseModel): ...", more=", config=Lax")
    done = run("plugin", "check", "lax")
    assert done.returncode == 1
    assert "a mistyped key goes unnoticed in: PluginInfo.config (Lax)" in done.stdout
    assert "PluginModel" in done.stdout
    assert "1 of 5 checks failed." in done.stdout


def test_a_declaration_that_is_none(run: Run, install: Install, tmp_path: Path) -> None:
    install("odd", "class Odd: ...")
    with (tmp_path / "site" / "acme_odd-1.0.dist-info" / "entry_points.txt").open("a") as file:
        file.write("\n[elsehu.conformance]\nodd = acme_odd:Odd\n")
    done = run("plugin", "check", "odd")
    assert done.returncode == 2
    assert "acme_odd:Odd must be a subclass of elsehu.testing.provider_suite.ProviderConformance" in done.stderr


def test_a_check_that_does_not_exist(run: Run, install: Install) -> None:
    install("quiet")
    done = run("plugin", "check", "quiet", "--only", "flying")
    assert done.returncode == 2
    assert "forged webhooks are refused" in done.stderr
