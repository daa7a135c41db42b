"""Reports as files: what goes into them, streamed at once or made in the background. Formats are plugins'."""
