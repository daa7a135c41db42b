"""Backups: one file with the database and the media as they were at one moment, and the way back.

The secret key is not in it: a backup alone opens no number's credentials, and the key alone shows no message.
"""

from elsehu.backup.creating import Progress, create
from elsehu.backup.restoring import Restored, read_manifest, restore

__all__ = ["Progress", "Restored", "create", "read_manifest", "restore"]
