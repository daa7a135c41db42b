"""Tests of Elsehu, on real services."""

import gc
import os
from pathlib import Path

from hypothesis import settings

pytest_plugins = ["elsehu.testing.fixtures"]

# No deadline: how long an example takes says something about the machine, not about the code. Continuous
# integration tries the same examples each time, so that it fails for what changed.
settings.register_profile("elsehu", deadline=None, derandomize="CI" in os.environ)
settings.register_profile("thorough", deadline=None, max_examples=3000)
settings.load_profile("elsehu")

# All is on loopback, where nobody shows a certificate: to read those of the world's authorities would take each HTTP
# client 40 ms.
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)
os.environ.pop("SSL_CERT_FILE", None)

# What collecting makes stays to the end: no garbage is looked for in it, neither now nor later.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage from now on."""
    gc.freeze()
    gc.enable()
