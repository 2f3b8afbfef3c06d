"""The worker: one at a time for a ledger, all destinations side by side, until told to end."""

from __future__ import annotations

import asyncio
import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from base.errors import Conflict, NotReady
from base.moment import Clock
from dispatch.exchange.delivery import Addressee, Delivery, Tell
from dispatch.exchange.destinations import Exchange, key_path, load_exchange
from dispatch.exchange.outbox import counts, forget_delivered, subscribe
from dispatch.exchange.signature import read_keys
from governance.home import Home
from scoring.ledger import open_ledger

WORKER_LOCK = 7_306_002  # any number, the same in every process
KEPT_DAYS = 90


def deliver_once(home: Home, clock: Clock) -> dict[str, Any]:
    """One pass over every destination; what could not be delivered waits for its time."""
    ledger = open_ledger(home.ledger_url)
    with only_worker(ledger):
        told = {
            each.addressee.destination.name: each.once() for each in deliveries(home, ledger, clock)
        }
    totals = {
        name: sum(each[name] for each in told.values()) for name in ("delivered", "failed", "dead")
    }
    return {**totals, "destinations": counts(ledger, clock.now())}


def deliver(home: Home, clock: Clock, tell: Tell) -> dict[str, Any]:
    """Deliver until SIGTERM or SIGINT; what is under way is ended first."""
    ledger = open_ledger(home.ledger_url)
    with only_worker(ledger):
        asyncio.run(_work(deliveries(home, ledger, clock, tell)))
    return {"destinations": counts(ledger, clock.now())}


def deliveries(
    home: Home, ledger: sa.Engine, clock: Clock, tell: Tell = lambda _: None
) -> list[Delivery]:
    """One for each destination, subscribed from now on; what was delivered long ago is forgotten.

    Raises NotReady where none is declared or a key is missing.
    """
    addressees = addressees_of(home, load_exchange(home))
    subscribe(ledger, {each.destination.name: each.destination.kinds for each in addressees}, clock)
    forget_delivered(ledger, clock.now() - timedelta(days=KEPT_DAYS))
    jurisdiction = home.jurisdiction
    source = f"clues/{jurisdiction.name}"
    return [
        Delivery(ledger, each, clock, source, jurisdiction.timezone, tell) for each in addressees
    ]


def addressees_of(home: Home, exchange: Exchange) -> list[Addressee]:
    """Destinations with their keys. Raises NotReady where there is none."""
    if not exchange.destinations:
        raise NotReady(
            wanted="another system that is to be told of clues",
            got="none declared",
            cure="write exchange.yaml (docs/exchange.md)",
        )
    return [Addressee(each, read_keys(key_path(home, each))) for each in exchange.destinations]


async def _work(each_one: list[Delivery]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as together:
        for each in each_one:
            together.create_task(each.work(stop))


@contextmanager
def only_worker(ledger: sa.Engine) -> Iterator[None]:
    """Nobody else delivers from this ledger meanwhile; a kill ends that too.

    Raises Conflict while another worker does.
    """
    if ledger.dialect.name == "sqlite":
        with Path(f"{ledger.url.database}.deliver.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _another() from None
            yield
        return
    with ledger.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        taken = connection.execute(
            sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": WORKER_LOCK}
        ).scalar_one()
        if not taken:
            raise _another()
        try:
            yield
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": WORKER_LOCK})


def _another() -> Conflict:
    return Conflict(
        wanted="one worker that delivers at a time",
        got="another one delivers from this ledger",
        cure="leave the messages to it",
    )
