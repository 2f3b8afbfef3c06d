"""The clue ledger: where clues stand and what changed them, scores given, orders, keys, the audit.

SQLite, or PostgreSQL by its URL. What was acknowledged survives a crash (P-1).
"""

from scoring.ledger.opening import durability as durability
from scoring.ledger.opening import make_engine as make_engine
from scoring.ledger.opening import open_ledger as open_ledger
from scoring.ledger.opening import writing as writing
from scoring.ledger.scores import GivenScore as GivenScore
from scoring.ledger.scores import given_of as given_of
from scoring.ledger.scores import keep_scores as keep_scores
from scoring.ledger.scores import latest_score as latest_score
from scoring.ledger.scores import newest_scores as newest_scores
from scoring.ledger.scores import record_scores as record_scores
from scoring.ledger.scores import score_of_clue as score_of_clue
from scoring.ledger.shadow import ShadowScore as ShadowScore
from scoring.ledger.shadow import newest_shadow as newest_shadow
from scoring.ledger.shadow import record_shadow as record_shadow
from scoring.ledger.shadow import shadow_counts as shadow_counts
from scoring.ledger.tables import clue_events as clue_events
from scoring.ledger.tables import clue_states as clue_states
from scoring.ledger.tables import exchange_destinations as exchange_destinations
from scoring.ledger.tables import keys as keys
from scoring.ledger.tables import metadata as metadata
from scoring.ledger.tables import orders as orders
from scoring.ledger.tables import outbox as outbox
from scoring.ledger.tables import queue_mark as queue_mark
from scoring.ledger.tables import queue_offices as queue_offices
from scoring.ledger.tables import queue_places as queue_places
from scoring.ledger.tables import scores_given as scores_given
from scoring.ledger.tables import shadow_scores as shadow_scores
from scoring.ledger.tables import watches as watches
from scoring.ledger.writer import ScoreWriter as ScoreWriter
