"""The gateway: login, web app, HTTP API, chat socket, and the dashboards behind the same door."""
