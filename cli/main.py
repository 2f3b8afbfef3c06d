"""The door: every command, in the order of a clue's way."""

from __future__ import annotations

import os
import sys

import typer

from base.lean import go_without
from cli import (
    comparing,
    declaring,
    dispatching,
    exchanging,
    governing,
    intake,
    keeping,
    learning,
    monitoring,
    promoting,
    replaying,
    working,
)
from cli.accounts import accounts
from cli.demo import demo

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

app = typer.Typer(
    name="clues",
    help="Tells a procuratorate which clue deserves the next working day, and why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("new-jurisdiction")(declaring.new_jurisdiction)
app.command("new-record-set")(declaring.new_record_set)
app.command("new-model")(declaring.new_model)
app.command("init")(intake.init)
app.command("simulate")(intake.simulate)
app.command("admit")(intake.admit)
app.command("quarantine")(intake.quarantine)
app.command("receipts")(governing.receipts)
app.command("quality")(governing.quality)
app.command("freshness")(governing.freshness)
app.command("retention")(governing.retention)
app.command("raise")(intake.raise_clues)
app.command("check-model")(declaring.check_model)
app.command("models")(declaring.models)
app.command("catalogue")(declaring.catalogue)
app.command("lineage")(declaring.lineage)
app.command("outcome")(intake.outcome)
app.command("features")(learning.features)
app.command("train")(learning.train)
app.command("compare")(comparing.compare)
app.command("weigh")(promoting.weigh)
app.command("promote")(promoting.promote)
app.command("rollback")(promoting.rollback)
app.command("retrain")(promoting.retrain)
app.command("shadow")(promoting.shadow)
app.command("worker")(promoting.worker)
app.command("jobs")(promoting.jobs)
app.command("score")(working.score)
app.command("explain")(working.explain)
app.command("what-if")(dispatching.what_if)
app.command("dispatch")(dispatching.dispatch)
app.command("overdue")(dispatching.overdue)
app.command("monitor")(monitoring.monitor)
app.command("deliver")(exchanging.deliver)
app.command("outbox")(exchanging.outbox)
app.command("webhook-key")(exchanging.webhook_key)
app.command("reconcile")(exchanging.reconcile)
app.command("case-system")(exchanging.case_system)
app.command("serve")(working.serve)
app.command("replay")(replaying.replay)
app.add_typer(working.keys, name="key")
app.add_typer(accounts, name="account")
app.add_typer(keeping.audit, name="audit")
app.command("backup")(keeping.backup)
app.command("restore")(keeping.restore)
app.command("demo")(demo)


# What these do needs no frame and no scikit-learn: they start in half the time without.
LEAN = frozenset((
    "init", "admit", "quarantine", "raise", "check-model", "outcome", "features", "score",
    "explain", "what-if", "dispatch", "overdue", "deliver", "outbox", "webhook-key",
    "reconcile", "serve", "key", "account", "audit", "backup", "restore",
))  # fmt: skip


def run() -> None:
    """Entry point of `clues`."""
    if LEAN.intersection(sys.argv[1:2]):
        go_without()
    app()
