"""Causal indicators."""
