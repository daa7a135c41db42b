"""Files: stored, fetched, uploaded and handed out."""
