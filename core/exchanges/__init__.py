"""Venues: adapters from real, sandbox and paper markets to the ports of `core.trading.exchange`."""
