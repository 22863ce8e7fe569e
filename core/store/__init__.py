"""The store: what the product keeps, in SQLite or PostgreSQL. Everything that knows SQL lives here."""
