"""Templates: kept here, agreed upon with providers, rendered and sent."""
