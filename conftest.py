"""Tests of Elsehu, on real services."""

import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["elsehu.testing.fixtures"]

# No deadline: how long an example takes says something about the machine, not about the code. Continuous
# integration tries the same examples each time, so that it fails for what changed.
settings.register_profile("elsehu", deadline=None, derandomize="CI" in os.environ)
settings.register_profile("thorough", deadline=None, max_examples=3000)
settings.load_profile("elsehu")
SEEDS = 3

# All is on loopback, where nobody shows a certificate: to read those of all the world's authorities would take each
# HTTP client 40 ms. One is there, for some clients refuse to begin without any.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).parent / "tests" / "authority.pem")
os.environ.pop("SSL_CERT_DIR", None)

# httpcore asks for it with each request, and looks through all of sys.path to find that it is not installed.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]

# What collecting makes stays to the end: no garbage is looked for in it, neither now nor later.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage from now on."""
    gc.freeze()
    gc.enable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a `seed` with the first few; with thirty in the profile thorough."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(SEEDS * (10 if is_thorough() else 1)))


def is_thorough() -> bool:
    """Whether the tests run with `--hypothesis-profile=thorough`."""
    return settings.get_current_profile_name() == "thorough"
