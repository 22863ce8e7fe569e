"""Risk: limits that are checked before every order."""
