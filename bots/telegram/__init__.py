"""Telegram: messages, buttons and pictures in front of the one conversation."""
