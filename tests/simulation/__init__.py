"""Deterministic simulation of execution: the engine as it is, on a simulated loop, clock, network, venue and record."""
