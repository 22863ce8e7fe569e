"""The console: the same conversation in a terminal, or through a pipe."""
