"""Learned parts: forecasters, sentiment, speech."""
