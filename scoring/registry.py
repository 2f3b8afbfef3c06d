"""The registry: MLflow behind one door. Bundles are registered and aliased there; the service
itself reads only the home (scoring/champion.py), so it works with the registry away.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from base.errors import NotFound
from governance.home import Home

if TYPE_CHECKING:
    from mlflow import MlflowClient

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
CHAMPION = "champion"


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
    """Point the alias `champion` at a registered digest; returns its version."""
    store, name = client(home), registered_name(home)
    found = [
        version
        for version in store.search_model_versions(f"name = '{name}'")
        if version.tags.get("digest") == digest
    ]
    if not found:
        raise NotFound(wanted="a registered scorer", got=digest[:12], cure="train it here first")
    store.set_registered_model_alias(name, CHAMPION, found[0].version)
    return int(found[0].version)
