"""A move under way, in the database that it fills: until its end nothing there may be served.

Its foreign keys are kept aside meanwhile. So the order of tables does not matter, and at the end PostgreSQL itself
looks at every one of them.
"""

from typing import Any, Final

from moving.backups.postgres import Connection

_MARK: Final = "ozone_move"
"""A table: where from; and the foreign keys to be made again, each with its table and definition."""


class NoMove(Exception):
    """It cannot begin or go on; the sentence says why and what to do."""


def is_unfinished(connection: Any) -> bool:
    """Whether the PostgreSQL database (by a connection with `execute`, or Django's cursor) is being moved into."""
    connection.execute("SELECT to_regclass(%s) IS NOT NULL", [_MARK])
    return bool(connection.fetchone()[0])


def begin(made: Connection, source: str, tables: list[str]) -> None:
    """Marks an empty database, or finds the mark of the same source. Raises NoMove."""
    with made.transaction(), made.cursor() as cursor:
        if not is_unfinished(cursor):
            if tables:
                raise NoMove(
                    "The database that DATABASE_URL names is not empty: make a new one (createdb) for the move."
                )
            cursor.execute(f"CREATE TABLE {_MARK} (kind text, name text, definition text)")
            cursor.execute(f"INSERT INTO {_MARK} VALUES ('source', %s, '')", [source])
            return
        cursor.execute(f"SELECT name FROM {_MARK} WHERE kind = 'source'")
        row = cursor.fetchone()
        if row is None or row[0] != source:
            raise NoMove(f"A move from {row and row[0]} is under way into this database, and not from {source}.")


def set_foreign_keys_aside(made: Connection) -> None:
    with made.transaction(), made.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
        )
        for table, name, definition in cursor.fetchall():
            told = ["key", table, f"ADD CONSTRAINT {name} {definition}"]
            cursor.execute(f"INSERT INTO {_MARK} VALUES (%s, %s, %s)", told)
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")


def finish(made: Connection, sequences: list[str]) -> None:
    """All or nothing: foreign keys made and checked, sequences set, the mark gone."""
    with made.transaction(), made.cursor() as cursor:
        cursor.execute(f"SELECT name, definition FROM {_MARK} WHERE kind = 'key'")
        for table, definition in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} {definition}")
        for statement in sequences:
            cursor.execute(statement)
        cursor.execute(f"DROP TABLE {_MARK}")
    made.execute("ANALYZE")
