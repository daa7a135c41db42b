"""Tests of Elsehu, on real services."""

pytest_plugins = ["elsehu.testing.fixtures"]
