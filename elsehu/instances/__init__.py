"""Service instances: numbers, their credentials and their state at the provider."""
