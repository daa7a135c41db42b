"""The HTTP edge: operations, problems, pages, OpenAPI, middleware."""
