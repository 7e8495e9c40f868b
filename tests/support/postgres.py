"""Somebody else at the test's database, where that is PostgreSQL."""

import psycopg
from django.db import connection


def another_connection() -> "psycopg.Connection[tuple[object, ...]]":
    """With transactions of its own; to be used as a context."""
    facts = connection.get_connection_params()
    named = ("user", "host", "port", "dbname", "password")
    return psycopg.connect(**{name: facts[name] for name in named if facts.get(name)})
