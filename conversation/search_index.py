"""The index of words of each database, and how it is asked.

PostgreSQL: a GIN index over an expression of the body. SQLite: an FTS5 table without content, kept
by triggers; a number for each message stands beside it, because the table's own row numbers may change. Where
SQLite has no FTS5 the text itself is searched. All three know the same words (`search_terms`).
"""

import uuid
from collections.abc import Sequence
from typing import Any, Final

from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from conversation.search_terms import Term, bare

POSTGRES_INDEX: Final = "conversation_message_words_2"
_POSTGRES_INDEX_BEFORE: Final = "conversation_message_words"
# Letters lose their marks (`bare`); signs become spaces (`a.b` would be one word, and where the locale is C
# what typographic quotes embrace); what is longer than a tsvector may be is cut.
_BARE: Final = r"normalize(regexp_replace(normalize(left({body}, 100000), NFD), '[\u0300-\u036f]+', '', 'g'), NFC)"
_SIGNS: Final = r"[!-/:-@[-`{{-~\u00a1\u00ab\u00bb\u00bf\u2010-\u205f\u3000-\u3003\u3008-\u301f]+"
_VECTOR: Final = f"to_tsvector('simple', regexp_replace({_BARE}, '{_SIGNS}', ' ', 'g'))"

_SQLITE_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS conversation_searchrow
       (id INTEGER PRIMARY KEY, message_id CHAR(32) NOT NULL UNIQUE)""",
    """CREATE VIRTUAL TABLE IF NOT EXISTS conversation_search
       USING fts5(room, body, content='', tokenize='unicode61 remove_diacritics 2')""",
)
_ADD: Final = """INSERT INTO conversation_search (rowid, room, body) VALUES (
    (SELECT id FROM conversation_searchrow WHERE message_id = new.id), new.conversation_id, new.body);"""
_TAKE: Final = """INSERT INTO conversation_search (conversation_search, rowid, room, body) VALUES ('delete',
    (SELECT id FROM conversation_searchrow WHERE message_id = old.id), old.conversation_id, old.body);"""
_NUMBER: Final = "INSERT INTO conversation_searchrow (message_id) VALUES (new.id);"
_FORGET: Final = "DELETE FROM conversation_searchrow WHERE message_id = old.id;"
# A table that Django makes anew to change it loses its triggers: `ensure` notices by their names.
_SQLITE_TRIGGERS: Final = {
    "conversation_search_insert_1": f"""AFTER INSERT ON conversation_message BEGIN {_NUMBER} {_ADD} END""",
    "conversation_search_update_1": f"""AFTER UPDATE OF body ON conversation_message
        WHEN old.body IS NOT new.body BEGIN {_TAKE} {_ADD} END""",
    "conversation_search_delete_1": f"""AFTER DELETE ON conversation_message BEGIN {_TAKE} {_FORGET} END""",
}
_SQLITE_FILL: Final = (
    "DELETE FROM conversation_searchrow",
    "INSERT INTO conversation_search (conversation_search) VALUES ('delete-all')",
    "INSERT INTO conversation_searchrow (message_id) SELECT id FROM conversation_message ORDER BY id",
    """INSERT INTO conversation_search (rowid, room, body)
       SELECT r.id, m.conversation_id, m.body
       FROM conversation_searchrow r JOIN conversation_message m ON m.id = r.message_id ORDER BY r.id""",
)


# --- Making it -----------------------------------------------------------------------------------
def ensure(alias: str) -> None:
    """Makes the index where it is missing or incomplete. Quick where it is not; outside of a transaction."""
    connection = connections[alias]
    if connection.vendor == "postgresql":
        if _is_half_made(connection):
            drop(alias)
        _execute(
            connection,
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {POSTGRES_INDEX} ON conversation_message"
            f" USING gin (({_VECTOR.format(body='body')}))",
        )
        _execute(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {_POSTGRES_INDEX_BEFORE}")
    elif connection.vendor == "sqlite" and _triggers(connection) != set(_SQLITE_TRIGGERS):
        try:
            _make_sqlite(connection, alias)
        except OperationalError as error:
            if "no such module" not in str(error):
                raise


def drop(alias: str) -> None:
    """Takes the index away."""
    connection = connections[alias]
    if connection.vendor == "postgresql":
        _execute(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {POSTGRES_INDEX}")
    elif connection.vendor == "sqlite":
        _drop_triggers(connection)
        for table in ("conversation_search", "conversation_searchrow"):
            _execute(connection, f"DROP TABLE IF EXISTS {table}")


def _make_sqlite(connection: BaseDatabaseWrapper, alias: str) -> None:
    with transaction.atomic(using=alias):
        _drop_triggers(connection)
        for statement in _SQLITE_TABLES:
            _execute(connection, statement)
        for name, body in _SQLITE_TRIGGERS.items():
            _execute(connection, f"CREATE TRIGGER {name} {body}")
        for statement in _SQLITE_FILL:
            _execute(connection, statement)


def _is_half_made(connection: BaseDatabaseWrapper) -> bool:
    """Whether an index is there that PostgreSQL could not finish: it keeps the name and is never used."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid",
            (POSTGRES_INDEX,),
        )
        return cursor.fetchone() is not None


def _drop_triggers(connection: BaseDatabaseWrapper) -> None:
    for name in _triggers(connection):
        _execute(connection, f'DROP TRIGGER IF EXISTS "{name}"')


def _triggers(connection: BaseDatabaseWrapper) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'conversation_search_%%'"
        )
        return {name for (name,) in cursor.fetchall()}


def _execute(connection: BaseDatabaseWrapper, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


# --- Asking it -----------------------------------------------------------------------------------
def having(
    terms: Sequence[Term], alias: str, conversation_id: uuid.UUID | None = None
) -> list[Any]:
    """Conditions for a query of messages: those with all the terms, if given of that conversation alone."""
    connection = connections[alias]
    indexed = [term for term in terms if not term.is_unspaced]
    # Letters without spaces between words are no words to an index: the text itself is searched.
    conditions: list[Any] = [Q(body__icontains=term.text) for term in terms if term.is_unspaced]
    if not indexed:
        return conditions
    if connection.vendor == "postgresql":
        return [*conditions, _in_postgres(indexed)]
    if connection.vendor == "sqlite" and _triggers(connection):
        return [*conditions, _in_sqlite(indexed, conversation_id)]
    return [*conditions, *(Q(body__icontains=word) for term in indexed for word in term.words)]


def _in_postgres(terms: Sequence[Term]) -> RawSQL:
    """Words have no sign that means anything in a tsquery; the quotes keep the parser from thinking so."""
    query = " & ".join(
        "("
        + " <-> ".join(f"'{bare(word)}'" for word in term.words)
        + (":*" if term.is_prefix else "")
        + ")"
        for term in terms
    )
    vector = _VECTOR.format(body='"conversation_message"."body"')
    return RawSQL(  # noqa: S611 - what people type is a parameter
        f"({vector} @@ to_tsquery('simple', %s))", (query,), output_field=BooleanField()
    )


def _in_sqlite(terms: Sequence[Term], conversation_id: uuid.UUID | None) -> RawSQL:
    wanted = " AND ".join(f'"{term.text}"' + (" *" if term.is_prefix else "") for term in terms)
    query = f"body : ({wanted})"
    if conversation_id is not None:
        query = f'room : "{conversation_id.hex}" AND {query}'
    return RawSQL(
        '("conversation_message"."id" IN (SELECT r.message_id FROM conversation_search s'
        " JOIN conversation_searchrow r ON r.id = s.rowid WHERE s.conversation_search MATCH %s))",
        (query,),
        output_field=BooleanField(),
    )
