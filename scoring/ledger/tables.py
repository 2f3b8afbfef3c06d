"""Every table of the ledger, as the newest migration leaves it.

Times are wall time of the jurisdiction. Nothing here names a person: ids and pseudonyms only.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
# SQLite numbers rows by itself only in a column of type INTEGER.
Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")

scores_given = sa.Table(
    "scores_given",
    metadata,
    sa.Column("score_id", Number, primary_key=True, autoincrement=True),
    sa.Column("clue_id", sa.String(200), nullable=False),
    sa.Column("office_id", sa.String(200)),
    sa.Column("moment", sa.DateTime, nullable=False),
    sa.Column("scorer", sa.String(64), nullable=False),
    sa.Column("features_fingerprint", sa.String(64), nullable=False),
    sa.Column("versions", sa.JSON, nullable=False),
    sa.Column("margin", sa.Float, nullable=False),
    sa.Column("probability", sa.Float, nullable=False),
    sa.Column("base", sa.Float, nullable=False),
    sa.Column("feature_values", sa.JSON, nullable=False),
    sa.Column("contributions", sa.LargeBinary, nullable=False),
    sa.Column("flags", sa.JSON, nullable=False),
    sa.Column("given_at", sa.DateTime, nullable=False),
    # work: the score that a clue stands in the queue with. asked: told to a caller, no more.
    sa.Column("purpose", sa.String(8), nullable=False, server_default="work"),
    # The clue's own columns where the clue is not in the register (null: they are there).
    sa.Column("given_clue", sa.JSON(none_as_null=True)),
    # Scores kept together; the audit row of this batch holds their digest. Empty: before the audit.
    sa.Column("batch", sa.String(32), nullable=False, server_default=""),
    sa.Index("ix_scores_given_clue", "clue_id", "purpose", "score_id"),
    sa.Index("ix_scores_given_batch", "batch"),
)
shadow_scores = sa.Table(
    "shadow_scores",
    metadata,
    sa.Column("shadow_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("clue_id", sa.String(200), nullable=False),
    sa.Column("moment", sa.DateTime, nullable=False),
    sa.Column("champion", sa.String(64), nullable=False),
    sa.Column("champion_margin", sa.Float, nullable=False),
    sa.Column("challenger", sa.String(64), nullable=False),
    sa.Column("challenger_margin", sa.Float, nullable=False),
    # Clues left out since the batch before, because too many were waiting.
    sa.Column("dropped_before", sa.Integer, nullable=False),
    sa.Column("given_at", sa.DateTime, nullable=False),
    sa.Index("ix_shadow_scores_pair", "challenger", "champion"),
)
orders = sa.Table(
    "orders",
    metadata,
    sa.Column("order_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("clue_id", sa.String(64), nullable=False, unique=True),
    sa.Column("office_id", sa.String(64)),
    sa.Column("ordered_at", sa.DateTime, nullable=False),
    sa.Column("ordered_by", sa.String(200), nullable=False),
    sa.Column("accept_until", sa.DateTime, nullable=False),
    sa.Column("verify_until", sa.DateTime, nullable=False),
    sa.Column("exploration", sa.Boolean, nullable=False),
    sa.Column("drawing_probability", sa.Float, nullable=False),
    # What ties and lots were drawn from (null: ordered before that was kept), and whether the lot
    # was one of the floor.
    sa.Column("seed", sa.String(200)),
    sa.Column("floor", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("ix_orders_office", "office_id", "ordered_at"),
)
# The ranking as it stands this week, kept so that a page of it is an indexed query. All of it can
# be made again from clue_states; `queue_mark` tells up to which audit row it is true.
queue_places = sa.Table(
    "queue_places",
    metadata,
    sa.Column("clue_id", sa.String(200), primary_key=True),
    sa.Column("office_id", sa.String(200), nullable=False),
    # 0 within capacity, 1 below the line; then by minus the value.
    sa.Column("below", sa.Integer, nullable=False),
    sa.Column("minus_value", sa.Float, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("margin", sa.Float, nullable=False),
    sa.Column("urgency", sa.Float, nullable=False),
    sa.Column("probability", sa.Float, nullable=False),
    sa.Column("exploration", sa.Boolean, nullable=False),
    sa.Column("floor", sa.Boolean, nullable=False),
    sa.Column("drawing_probability", sa.Float, nullable=False),
    sa.Column("supervision_model", sa.String(200)),
    sa.Column("raised_at", sa.DateTime, nullable=False),
    sa.Column("score_id", Number),
    sa.Index("ix_queue_places_all", "below", "minus_value", "clue_id"),
    sa.Index("ix_queue_places_office", "office_id", "below", "minus_value", "clue_id"),
)
queue_offices = sa.Table(
    "queue_offices",
    metadata,
    sa.Column("office_id", sa.String(200), primary_key=True),
    sa.Column("week", sa.String(8), nullable=False),
    sa.Column("stale", sa.Boolean, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("within", sa.Integer, nullable=False),
    sa.Column("seed", sa.String(200), nullable=False),
)
queue_mark = sa.Table(
    "queue_mark",
    metadata,
    sa.Column("mark_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", Number, nullable=False),
    sa.Column("week", sa.String(8), nullable=False),
    # Which version of the records the ends of clues were last taken from.
    sa.Column("ends", sa.String(64), nullable=False),
)
# Offices that look on: those that supervise the handling of a clue, those an overdue one came to.
watches = sa.Table(
    "watches",
    metadata,
    sa.Column("watch_id", Number, primary_key=True, autoincrement=True),
    sa.Column("clue_id", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("office_id", sa.String(200), nullable=False),
    sa.Column("since", sa.DateTime, nullable=False),
    # The deadline that was missed; of supervision, when it began.
    sa.Column("about", sa.DateTime, nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("ended_at", sa.DateTime),
    sa.UniqueConstraint("clue_id", "kind", "office_id", "about", name="uq_watches"),
    sa.Index("ix_watches_office", "office_id", "ended_at"),
)
keys = sa.Table(
    "keys",
    metadata,
    sa.Column("key_id", sa.String(16), primary_key=True),
    sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("office_id", sa.String(64)),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("revoked_at", sa.DateTime),
    sa.Column("holder", sa.String(200)),
    sa.Column("expires_at", sa.DateTime),
)
# One row per thing told, chained: `digest` covers the row and the digest of the row before.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", Number, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("about", sa.String(200), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Index("ix_audit_about", "about"),
)
# The chain's end, one row: whoever appends holds it, so that two never append at one place.
audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("head_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("seq", Number, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)
# Where each clue stands: derived from its events, kept so that a queue is one indexed query.
clue_states = sa.Table(
    "clue_states",
    metadata,
    sa.Column("clue_id", sa.String(200), primary_key=True),
    sa.Column("office_id", sa.String(200)),
    sa.Column("supervision_model", sa.String(200)),
    sa.Column("raised_at", sa.DateTime, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    # Grows by one with each change; what optimistic callers expect.
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("since", sa.DateTime, nullable=False),
    # The newest score for work; null before the first.
    sa.Column("score_id", Number),
    sa.Column("margin", sa.Float),
    sa.Column("probability", sa.Float),
    sa.Column("dispatched_at", sa.DateTime),
    sa.Column("accept_until", sa.DateTime),
    sa.Column("verify_until", sa.DateTime),
    sa.Column("merged_into", sa.String(200)),
    # The clue that this one is a part of, since that was split.
    sa.Column("split_from", sa.String(200)),
    sa.Index("ix_clue_states_queue", "office_id", "open", "margin"),
    sa.Index("ix_clue_states_open", "open", "margin"),
    sa.Index("ix_clue_states_verify", "open", "verify_until"),
    sa.Index("ix_clue_states_merged", "merged_into"),
    sa.Index("ix_clue_states_split", "split_from"),
    sa.Index("ix_clue_states_state", "state", "office_id"),
)
# Every change of a clue. A person's, the platform's, or an outcome as it was reported.
clue_events = sa.Table(
    "clue_events",
    metadata,
    sa.Column("event_id", Number, primary_key=True, autoincrement=True),
    sa.Column("clue_id", sa.String(200), nullable=False),
    # The version of the clue's state that this event made; null: it came late and changed nothing.
    sa.Column("version", sa.Integer),
    sa.Column("source", sa.String(8), nullable=False),
    sa.Column("from_state", sa.String(20)),
    sa.Column("to_state", sa.String(20), nullable=False),
    sa.Column("decided_at", sa.DateTime, nullable=False),
    sa.Column("reported_at", sa.DateTime, nullable=False),
    sa.Column("kept_at", sa.DateTime, nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("office_id", sa.String(200)),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("facts", sa.JSON, nullable=False),
    # Digest of the record in `outcomes` that says the same; null: none, or not yet.
    sa.Column("record", sa.String(64)),
    # A person's ending that is still to be admitted as an outcome.
    sa.Column("to_admit", sa.Boolean, nullable=False),
    sa.UniqueConstraint("clue_id", "version", name="uq_clue_events_version"),
    sa.UniqueConstraint("clue_id", "record", name="uq_clue_events_record"),
    sa.Index("ix_clue_events_to_admit", "to_admit"),
    sa.Index(
        "ix_clue_events_given",
        "kept_at",
        postgresql_where=sa.text("to_state = 'dispatched'"),
        sqlite_where=sa.text("to_state = 'dispatched'"),
    ),
)
# What a key of a principal was answered; kept as long as the ledger.
replies = sa.Table(
    "replies",
    metadata,
    sa.Column("principal", sa.String(200), primary_key=True),
    sa.Column("idempotency_key", sa.String(200), primary_key=True),
    sa.Column("request", sa.String(64), nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("reply", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
)
# Other systems that are told what happens to clues: from when on, and of what.
exchange_destinations = sa.Table(
    "exchange_destinations",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("kinds", sa.JSON, nullable=False),
    sa.Column("since", sa.DateTime, nullable=False),
    sa.Column("ended_at", sa.DateTime),
)
# Messages for them, written in the transaction of what they tell. waiting, delivered, dead (given
# up after its time) or skipped (a person let those behind it go).
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("message_no", Number, primary_key=True, autoincrement=True),
    sa.Column("message_id", sa.String(64), nullable=False, unique=True),
    sa.Column("destination", sa.String(64), nullable=False),
    sa.Column("clue_id", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("made_at", sa.DateTime, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("first_tried_at", sa.DateTime),
    sa.Column("next_at", sa.DateTime, nullable=False),
    sa.Column("settled_at", sa.DateTime),
    # How the last attempt ended: a status or the kind of fault, never what was answered.
    sa.Column("said", sa.String(200), nullable=False),
    sa.Index("ix_outbox_due", "destination", "state", "next_at"),
    sa.Index("ix_outbox_clue", "destination", "clue_id", "message_no"),
)
# Persons who sign in to the console; of a password its argon2id hash.
accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("login", sa.String(64), primary_key=True),
    sa.Column("password", sa.String(200), nullable=False),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("office_id", sa.String(200)),
    # The person: two accounts, or a key and an account, of one holder are one person.
    sa.Column("holder", sa.String(200), nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("disabled_at", sa.DateTime),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("locked_until", sa.DateTime),
)
console_sessions = sa.Table(
    "console_sessions",
    metadata,
    # sha256 of what the cookie holds.
    sa.Column("session_hash", sa.String(64), primary_key=True),
    sa.Column("login", sa.String(64), nullable=False),
    sa.Column("started_at", sa.DateTime, nullable=False),
    sa.Column("seen_at", sa.DateTime, nullable=False),
    sa.Column("ended_at", sa.DateTime),
    sa.Index("ix_console_sessions_login", "login"),
)
