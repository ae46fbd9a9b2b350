"""A conversation of thousands of messages, put straight into a site's SQLite file before it starts."""

from __future__ import annotations

import datetime
import sqlite3
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

TITLE = "A long story"
# What people write: mostly a line, now and then a paragraph, a list, some code.
SHAPES = (
    "<p>The build is green again.</p>",
    "<p>Shall we look at the rest <strong>tomorrow</strong>, or is there time today?</p>",
    "<p>ok</p>",
    """<p>The nightly run found two things: the importer stops at an empty line, and the report counts
    what was deleted. Neither is new, but the first one hides the second, so that nobody has seen
    it until now. I would mend the importer first and then run it all again.</p>""",
    "<ul><li>mend the importer</li><li>run it again</li><li>write it down</li></ul>",
    "<p>See <code>importer.py</code>, line 40.</p>",
    """<pre class="code" data-language="python"><code><span class="k">for</span> <span class="n">line</span>
    <span class="ow">in</span> <span class="n">lines</span><span class="p">:</span>
        <span class="k">yield</span> <span class="n">line</span><span class="p">.strip()</span></code></pre>""",
    '<p>Thanks, <span class="mention" data-user="1">@ada</span>!</p>',
)


def write_long_conversation(database: Path, count: int) -> str:
    """Adds a conversation of everybody with `count` messages, one a minute; returns its id."""
    room = uuid.uuid4().hex
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.row_factory = sqlite3.Row
        people = [row["id"] for row in connection.execute("SELECT id FROM auth_user ORDER BY id")]
        old = dict(connection.execute("SELECT * FROM conversation_conversation LIMIT 1").fetchone())
        said = dict(connection.execute("SELECT * FROM conversation_message LIMIT 1").fetchone())
        seat = dict(connection.execute("SELECT * FROM conversation_member LIMIT 1").fetchone())
        now = datetime.datetime.now(datetime.UTC)
        messages = [_message(said, room, people, seq, now, count) for seq in range(1, count + 1)]
        last = {
            "last_seq": count,
            "last_message_id": messages[-1]["id"],
            "last_activity_at": _sql(now),
        }
        _insert(
            connection, "conversation_conversation", [old | {"id": room, "title": TITLE} | last]
        )
        seats = [
            seat | {"id": None, "conversation_id": room, "user_id": person, "joined_seq": count}
            for person in people
        ]
        _insert(connection, "conversation_member", seats)
        _insert(connection, "conversation_message", messages)
    return str(uuid.UUID(room))


def _message(
    said: dict[str, Any], room: str, people: list[int], seq: int, now: datetime.datetime, count: int
) -> dict[str, Any]:
    html = SHAPES[(seq * 7 + seq // 5) % len(SHAPES)]
    return said | {
        "id": uuid.UUID(int=seq << 80 | 7 << 76 | 8 << 60).hex,
        "conversation_id": room,
        "seq": seq,
        "author_id": people[(seq // 3) % len(people)],
        "client_id": f"long-{seq}",
        "body": f"{seq}",
        "html": html.replace("</p>", f" ({seq})</p>", 1),
        "created_at": _sql(now - datetime.timedelta(minutes=count - seq)),
    }


def _sql(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


def _insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    columns = ", ".join(rows[0])
    signs = ", ".join("?" * len(rows[0]))
    connection.executemany(
        f"INSERT INTO {table} ({columns}) VALUES ({signs})",  # noqa: S608 - names of our own
        [tuple(row.values()) for row in rows],
    )
