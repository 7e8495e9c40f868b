"""Django's PostgreSQL for a `DATABASE_URL` that names several hosts (`base`: as Django looks for an engine)."""
