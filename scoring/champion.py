"""Champion and challenger: which scorer serves and which one is tried in its shadow.

Both are written in the home, so that the service starts without a registry (P-9). Every change of
the champion names two persons and the scorer before, and is kept in `champions.jsonl`, one line
each, so that any number of them can be taken back one after the other.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from base.errors import NotReady, Refused
from scoring.bundle import check_bundle

CHAMPION, CHALLENGER, HISTORY = "champion.json", "challenger.json", "champions.jsonl"


@dataclass(frozen=True)
class Champion:
    """The scorer in use, and who put it there.

    `failed`: the promotion rules it did not meet; `why`: why it was put in use all the same, or
    why the one before it was taken back.
    """

    scorer: str
    by: str
    approved_by: str
    promoted_at: str
    previous: str | None
    change: Literal["promoted", "rolled_back"] = "promoted"
    why: str | None = None
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Challenger:
    """The scorer that is tried in the champion's shadow, and what proposed it."""

    scorer: str
    by: str
    set_at: str
    passed: bool


def read_champion(scorers: Path) -> Champion:
    """The champion of a home. Raises NotReady before the first promotion."""
    note = _read_note(scorers / CHAMPION)
    if note is None:
        raise NotReady(
            wanted="a champion scorer",
            got="none promoted yet",
            cure="run: clues train EXPERIMENT, then clues promote SCORER --by A --approved-by B",
        )
    return _champion(note, CHAMPION)


def find_champion(scorers: Path) -> Champion | None:
    """The champion, or None before the first promotion."""
    return read_champion(scorers) if (scorers / CHAMPION).exists() else None


def write_champion(
    scorers: Path,
    digest: str,
    *,
    by: str,
    approved_by: str,
    at: datetime,
    why: str | None = None,
    failed: tuple[str, ...] = (),
) -> Champion:
    """Put a checked bundle in use. Raises Refused unless two different persons stand for it.

    A challenger that becomes champion is a challenger no longer.
    """
    require_two_persons(by, approved_by)
    check_bundle(scorers / digest, digest)
    with _locked(scorers):
        earlier = read_history(scorers)
        previous = earlier[-1].scorer if earlier else None
        champion = Champion(
            digest, by, approved_by, at.isoformat(), previous, "promoted", why, failed
        )
        _put(scorers, champion)
        tried = _read_note(scorers / CHALLENGER)
        if tried is not None and tried.get("scorer") == digest:
            (scorers / CHALLENGER).unlink()
    return champion


def roll_back(
    scorers: Path, *, by: str, approved_by: str, at: datetime, why: str | None = None
) -> Champion:
    """Put the champion before this one in use again; done twice, the one before that.

    Raises NotReady where there was none before, Refused unless two persons stand for it.
    """
    require_two_persons(by, approved_by)
    read_champion(scorers)
    with _locked(scorers):
        now = read_champion(scorers)
        before = champion_before(scorers)
        check_bundle(scorers / before, before)
        champion = Champion(before, by, approved_by, at.isoformat(), now.scorer, "rolled_back", why)
        _put(scorers, champion)
    return champion


def champion_before(scorers: Path) -> str:
    """The scorer that a roll back would put in use. Raises NotReady where there is none."""
    served: list[str] = []
    for champion in read_history(scorers):
        if champion.change == "rolled_back":
            served = served[:-1] or [champion.scorer]
        elif not served and champion.previous is not None:
            served = [champion.previous, champion.scorer]  # of before the history was kept
        elif served[-1:] != [champion.scorer]:
            served.append(champion.scorer)
    if len(served) < 2:
        raise NotReady(
            wanted="a champion before this one",
            got=f"{served[0][:12]}, the first one" if served else "no champion at all",
            cure="promote another scorer: clues promote SCORER --by A --approved-by B",
        )
    return served[-2]


def find_before(scorers: Path) -> str | None:
    """The same, or None where there is none."""
    try:
        return champion_before(scorers)
    except NotReady:
        return None


def read_history(scorers: Path) -> tuple[Champion, ...]:
    """Every change of the champion, the oldest first; the last is what serves.

    The note is written before its line. A line lost or torn by a crash in between is therefore
    that of the note, which stands in for it.
    """
    found: list[Champion] = []
    path = scorers / HISTORY
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            found.append(_champion(json.loads(line), HISTORY))
        except (ValueError, Refused):
            continue
    try:
        serving = find_champion(scorers)
    except Refused:
        serving = None  # a spoilt note: what the history says last
    if serving is not None and serving != (found[-1] if found else None):
        found.append(serving)
    return tuple(found)


def read_challenger(scorers: Path) -> Challenger | None:
    """The scorer that is tried in the shadow, if any. Raises Refused for a note that is none."""
    note = _read_note(scorers / CHALLENGER)
    if note is None:
        return None
    try:
        return Challenger(**note)
    except TypeError:
        raise _unreadable(CHALLENGER) from None


def write_challenger(
    scorers: Path, digest: str, *, by: str, at: datetime, passed: bool
) -> Challenger:
    """Try a checked bundle in the champion's shadow. `passed`: what the promotion rule said."""
    check_bundle(scorers / digest, digest)
    challenger = Challenger(digest, by, at.isoformat(), passed)
    with _locked(scorers):
        _write_note(scorers / CHALLENGER, asdict(challenger))
    return challenger


def require_two_persons(by: str, approved_by: str) -> None:
    """Raises Refused unless one proposes and another approves."""
    names = {name.strip().casefold() for name in (by, approved_by)}
    if len(names) < 2 or "" in names:
        raise Refused(
            wanted="two different persons: one proposes, another approves",
            got="the same name, or none",
            cure="let a second person approve",
        )


def _put(scorers: Path, champion: Champion) -> None:
    """The note first, for it decides what serves; then its line."""
    earlier = read_history(scorers)
    _write_note(scorers / CHAMPION, asdict(champion))
    path = scorers / HISTORY
    known = path.read_bytes() if path.exists() else b""
    lines = [*earlier[-1:], champion] if _lacks(known, earlier) else [champion]
    text = "".join(json.dumps(asdict(line), ensure_ascii=False) + "\n" for line in lines)
    with path.open("ab") as history:
        # What a crash tore stays a line of its own.
        history.write((b"\n" if known and not known.endswith(b"\n") else b"") + text.encode())
        history.flush()
        os.fsync(history.fileno())


def _lacks(known: bytes, earlier: tuple[Champion, ...]) -> bool:
    """Whether the newest change before this one never got its line."""
    if not earlier:
        return False
    line = json.dumps(asdict(earlier[-1]), ensure_ascii=False).encode()
    return line not in known.splitlines()


def _champion(note: dict[str, Any], name: str) -> Champion:
    try:
        return Champion(**{**note, "failed": tuple(note.get("failed", ()))})
    except TypeError:
        raise _unreadable(name) from None


def _read_note(path: Path) -> dict[str, Any] | None:
    try:
        note = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise _unreadable(path.name) from None
    if not isinstance(note, dict):
        raise _unreadable(path.name)
    return note


def _unreadable(name: str) -> Refused:
    return Refused(
        wanted=f"{name} as clues writes it",
        got="something else",
        cure="restore it from a back-up of the home, or promote again",
    )


def _write_note(path: Path, note: dict[str, Any]) -> None:
    """Whole or not at all, also over a power cut."""
    draft = path.with_name(path.name + ".new")
    with draft.open("w", encoding="utf-8") as file:
        file.write(json.dumps(note, ensure_ascii=False, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def _locked(scorers: Path) -> Iterator[None]:
    """One change at a time, whatever process makes it."""
    with (scorers / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
