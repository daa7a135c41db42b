"""Canned replies: texts that are written often, with places for what differs."""
