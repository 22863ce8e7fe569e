"""Panels: what a dashboard's notebook imports and shows."""
