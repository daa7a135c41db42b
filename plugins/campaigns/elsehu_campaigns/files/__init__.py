"""Uploaded lists of people: read, stored, and reported on before anybody is sent anything."""
