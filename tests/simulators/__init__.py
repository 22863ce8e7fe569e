"""Servers of our own that speak like the services the product talks to."""
