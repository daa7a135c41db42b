"""For tests of Elsehu and of its plugins: real services, a real server, stand-ins, conformance suites.

`pytest_plugins = ["elsehu.testing.fixtures"]` in a conftest.py brings the fixtures.
"""
