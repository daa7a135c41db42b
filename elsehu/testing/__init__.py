"""For tests of Elsehu and of its plugins: real services, a real server, stand-ins, conformance suites.

`pytest_plugins = ["elsehu.testing.fixtures"]` in a conftest.py brings the fixtures. What a plugin's tests need
of the kernel beside them is here.
"""

from elsehu.http_client import open_http_client
from elsehu.plugins import Plugins, load_plugins
from elsehu.settings import HttpClientSettings, Settings

__all__ = ["HttpClientSettings", "Plugins", "Settings", "load_plugins", "open_http_client"]
