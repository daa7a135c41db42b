"""A provider without a vendor, for trying Elsehu out and for tests."""
