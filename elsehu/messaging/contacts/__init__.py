"""Contacts over REST: found, changed, archived, erased."""
