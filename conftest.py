"""Tests of Elsehu, on real services."""

import os

from hypothesis import settings

pytest_plugins = ["elsehu.testing.fixtures"]

# No deadline: how long an example takes says something about the machine, not about the code. Continuous
# integration tries the same examples each time, so that it fails for what changed.
settings.register_profile("elsehu", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("elsehu")
