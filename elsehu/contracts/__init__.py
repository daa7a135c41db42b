"""Typed values and errors that the kernel and plugins exchange. Standard library and pydantic only."""
