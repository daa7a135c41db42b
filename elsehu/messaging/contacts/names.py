"""What a contact is called where people read it."""

SHOWN_NAME = """coalesce(nullif(c.name, ''), nullif(c.profile_name, ''),
           CASE WHEN c.phone IS NULL AND c.username <> '' THEN '@' || c.username END, '')"""
"""SQL, of the contact `c`: our name for them, else their own, else (where no phone tells them) the username."""
