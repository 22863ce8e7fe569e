"""Widgets that the dashboards are built from."""
