"""Chat surfaces: each renders the replies of the one command registry."""
