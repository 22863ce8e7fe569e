"""The gateway, its web app and the dashboards."""
