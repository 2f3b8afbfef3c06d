"""The registry: MLflow behind one door. Bundles are registered and aliased there; the service
itself reads only the home (scoring/champion.py), so it works with the registry away.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from base.errors import NotFound
from governance.home import Home
from scoring.alias import ANSWER_SECONDS, is_behind, note_told
from scoring.answering import answers
from scoring.champion import find_champion

if TYPE_CHECKING:
    from mlflow import MlflowClient

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# With a server MLflow prints its address to stdout, which is for a command's answer alone.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
CHAMPION, CHALLENGER = "champion", "challenger"
TOLD = "told"


def client(home: Home) -> MlflowClient:
    """A client of the home's MLflow store."""
    from mlflow import MlflowClient as Client

    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return Client(tracking_uri=home.tracking_uri, registry_uri=home.tracking_uri)


def registered_name(home: Home) -> str:
    """The one registered model of a jurisdiction; its versions are scorers."""
    return f"clues-{home.jurisdiction.name}"


def register(home: Home, digest: str, run_id: str, bundle_uri: str) -> int:
    """Register a bundle logged under `run_id`; the same digest keeps its version, returned."""
    from mlflow.exceptions import MlflowException

    store, name = client(home), registered_name(home)
    try:
        store.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    known = store.search_model_versions(f"name = '{name}' and tags.digest = '{digest}'")
    if known:
        return int(known[0].version)
    made = store.create_model_version(
        name, source=bundle_uri, run_id=run_id, tags={"digest": digest}
    )
    return int(made.version)


def alias_champion(home: Home, digest: str) -> int:
    """Point the alias `champion` at a registered digest; returns its version.

    A challenger that becomes champion is a challenger no longer.
    """
    store, name = client(home), registered_name(home)
    version = _version(home, digest)
    store.set_registered_model_alias(name, CHAMPION, version)
    aliases = store.get_registered_model(name).aliases
    if str(aliases.get(CHALLENGER)) == version:
        store.delete_registered_model_alias(name, CHALLENGER)
    note_told(home, digest)
    return int(version)


def alias_challenger(home: Home, digest: str) -> int:
    """Point the alias `challenger` at a registered digest; returns its version."""
    version = _version(home, digest)
    client(home).set_registered_model_alias(registered_name(home), CHALLENGER, version)
    return int(version)


def tell_registry(alias: Callable[[Home, str], int], home: Home, digest: str) -> str:
    """Move an alias if the registry answers; `told`, or why not. Never raises.

    What serves is written in the home. A registry that is away must hold up no promotion and
    least of all a roll back; `catch_up` sets its alias right later.
    """
    if not answers(home.tracking_uri, ANSWER_SECONDS):
        return "away: the alias was not moved"
    try:
        alias(home, digest)
    except Exception as error:  # MLflow's, a database's or a socket's
        return f"not told: {type(error).__name__}"
    return TOLD


def catch_up(home: Home) -> str:
    """Move the alias `champion` to what serves, where the registry was not told yet; as above."""
    champion = find_champion(home.scorers)
    if champion is None or not is_behind(home):
        return TOLD
    return tell_registry(alias_champion, home, champion.scorer)


def _version(home: Home, digest: str) -> str:
    name = registered_name(home)
    for version in client(home).search_model_versions(f"name = '{name}'"):
        if version.tags.get("digest") == digest:
            return str(version.version)
    raise NotFound(wanted="a registered scorer", got=digest[:12], cure="train it here first")


if __name__ == "__main__":
    said = catch_up(Home.open(Path(sys.argv[1])))
    print(said)  # noqa: T201  # to the process that started this one
    sys.exit(0 if said == TOLD else 1)
