"""Trading: orders, fills, ledgers and runs."""
