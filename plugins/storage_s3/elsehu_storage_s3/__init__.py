"""Media on S3 and compatible storages."""
