"""Measures Elsehu beside its floors, in one run: `make bench`."""
