"""Pictures of people and groups."""
