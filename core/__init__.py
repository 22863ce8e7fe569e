"""The shared core: market, trading, simulation, risk and conversation, without any chat SDK or web framework."""
