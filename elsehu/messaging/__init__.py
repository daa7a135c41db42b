"""Contacts, conversations and messages: everything between a webhook, the screen and the phone."""
