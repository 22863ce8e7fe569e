"""Backtests and what is learned from them."""
