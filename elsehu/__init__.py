"""Elsehu: customer service over messaging providers. Plugins import `elsehu.plugin`, never this package's inside."""

__version__ = "0.1.0"
