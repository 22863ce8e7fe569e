"""The engine: feed, trader, execution and desk. Everything that moves money goes one way through here."""
