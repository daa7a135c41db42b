"""A provider without a vendor, for trying Elsehu out and for tests."""

from elsehu_sandbox.provider import Sandbox

__all__ = ["Sandbox"]
