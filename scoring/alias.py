"""Whether the registry's alias `champion` stands where the champion does; nothing of MLflow here.

What serves is written in the home, and a registry may be away when that changes. What it was last
told is noted beside the champion, so that whoever looks later sees that it is behind, and whose
turn it is moves it (scoring/registry.py): a change of the champion, `clues worker`, the service
when it starts.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import structlog

from governance.home import Home
from scoring.answering import answers
from scoring.champion import find_champion

NOTE = "registry.json"
ANSWER_SECONDS, MOVE_SECONDS = 3.0, 120.0
log = structlog.get_logger()


def note_told(home: Home, digest: str) -> None:
    """Note that the alias was moved to a scorer in this registry; whole or not at all."""
    draft = home.scorers / f"{NOTE}.new"
    draft.write_text(json.dumps({"champion": digest, "registry": _place(home)}) + "\n", "utf-8")
    draft.replace(home.scorers / NOTE)


def is_behind(home: Home) -> bool:
    """Whether the champion is another than the registry in use was last told of."""
    champion = find_champion(home.scorers)
    if champion is None:
        return False
    try:
        note = json.loads((home.scorers / NOTE).read_text("utf-8"))
        told = (note["champion"], note["registry"])
    except (OSError, ValueError, TypeError, KeyError):
        return True
    return told != (champion.scorer, _place(home))


def move_in_own_process(home: Home) -> threading.Thread | None:
    """Let a process of its own move the alias, so that the service never loads MLflow; nothing
    where it is not behind or nobody answers. Nobody waits for the thread that is returned."""
    if not is_behind(home) or not answers(home.tracking_uri, ANSWER_SECONDS):
        return None
    moving = threading.Thread(target=_move, args=(home.path,), name="registry", daemon=True)
    moving.start()
    return moving


def _move(home: Path) -> None:
    command = [sys.executable, "-m", "scoring.registry", str(home)]
    try:
        done = subprocess.run(  # noqa: S603  # our own module and the home we serve
            command, capture_output=True, timeout=MOVE_SECONDS, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("registry_not_told", kind=type(error).__name__)
        return
    if done.returncode != 0:
        log.warning("registry_not_told", said=done.stdout.strip()[:100])


def _place(home: Home) -> str:
    """Which registry, without the password that its address may hold."""
    return hashlib.sha256(home.tracking_uri.encode()).hexdigest()[:16]
