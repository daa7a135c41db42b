"""The checks that `elsehu.testing.provider_suite` runs, one subject a module."""
