"""Orders, fills, portfolios, costs, and the ports of a strategy and an exchange."""
