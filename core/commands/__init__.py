"""The conversation: one registry of commands, what people write turned into them, previews and confirmations."""
