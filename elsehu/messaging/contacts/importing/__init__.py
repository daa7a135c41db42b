"""Contacts out of a file: stored, staged by one COPY, merged slice by slice; whatever dies, it goes on where it was.

A worker on any machine does it, so the file is in the database until its rows are. Staging is one transaction; each
slice commits what became of its rows together with them, so no row counts twice and none is forgotten.
"""
