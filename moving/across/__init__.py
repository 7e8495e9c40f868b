"""From SQLite to PostgreSQL, row by row: `move`."""
