"""Exchanges: adapters of real and simulated venues."""
