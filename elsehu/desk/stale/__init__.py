"""Closing many conversations that nobody goes on with, by order of a supervisor or by rule."""
