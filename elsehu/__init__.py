"""Elsehu: customer service over messaging providers. Plugins import `elsehu.plugin`, never this package's inside."""

from elsehu.lean_imports import without

__version__ = "0.1.0"

with without("rich"):  # to colour tracebacks, which takes each start 60 ms and 3 MB
    import structlog  # noqa: F401
