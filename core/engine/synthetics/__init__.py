"""Synthetics: order types that a venue has not, worked by pure machines and one service that carries out their acts."""
