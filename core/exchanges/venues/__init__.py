"""What is particular about single venues, as data."""
