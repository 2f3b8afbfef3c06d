"""Scorers as those see them who decide about them: what they are, how they did, who stood for them.

A bundle's digest is checked before anything in it is read. Figures and card were written by
training beside its report; the weighing beside the champion by `clues weigh` or a retraining.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from base.errors import CluesError, NotFound
from scoring.bundle import Manifest, check_bundle, read_manifest
from scoring.champion import find_champion, read_challenger, read_history
from scoring.promotions import proposals_of
from serving.service import Service

DIGEST = re.compile(r"[0-9a-f]{64}")


def scorer_folder(service: Service, digest: str) -> Path:
    """The bundle's folder, its digest checked. Raises NotFound, or Refused for a spoilt one."""
    folder = service.home.scorers / digest
    if not DIGEST.fullmatch(digest) or not folder.is_dir():
        raise NotFound(wanted="a scorer of this home", got="none", cure="see GET /v1/scorers")
    check_bundle(folder, digest)
    return folder


def list_scorers(service: Service) -> dict[str, Any]:
    """Every scorer, the newest cut of knowledge first; which one serves and which is tried."""
    scorers = service.home.scorers
    champion, challenger = find_champion(scorers), _challenger(scorers)
    names = sorted(path.name for path in scorers.glob("*") if DIGEST.fullmatch(path.name))
    told = [_line(service, name) for name in names]
    told.sort(key=lambda line: (line.get("trained_until") or "", line["scorer"]), reverse=True)
    return {
        "champion": None if champion is None else asdict(champion),
        "challenger": challenger,
        "scorers": told,
    }


def tell_scorer(service: Service, digest: str) -> dict[str, Any]:
    """One scorer: its manifest, figures, card, weighing, proposals and when it served."""
    folder = scorer_folder(service, digest)
    manifest = read_manifest(folder)
    report = report_of(service, manifest, digest)
    card = report / "card.md"
    figures = read_note(report / "figures.json")
    return {
        **_summary(digest, manifest),
        "manifest": told_manifest(manifest),
        "judged_on": judged_on(figures),
        "figures": figures,
        "card": card.read_text("utf-8") if card.is_file() else None,
        "weighing": read_note(service.home.proposals / f"{digest}.json"),
        "proposals": [told_proposal(each) for each in proposals_of(service.ledger, digest)],
        "served": [
            asdict(each) for each in read_history(service.home.scorers) if each.scorer == digest
        ],
    }


def told_manifest(manifest: Manifest) -> dict[str, Any]:
    """Without its golden rows: they are rows of clues."""
    return manifest.model_dump(mode="json", exclude={"golden"})


def told_proposal(row: dict[str, Any]) -> dict[str, Any]:
    """A proposal as JSON."""
    kept = {name: value for name, value in row.items() if name not in ("open_for", "promotion_id")}
    for name in ("proposed_at", "decided_at"):
        kept[name] = None if kept[name] is None else kept[name].isoformat()
    return kept


def read_note(path: Path) -> dict[str, Any] | None:
    """A JSON object that another command wrote; None where there is none that can be read."""
    try:
        note = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) else None


def _line(service: Service, digest: str) -> dict[str, Any]:
    try:
        manifest = read_manifest(scorer_folder(service, digest))
    except (CluesError, ValueError, OSError):
        return {"scorer": digest, "spoilt": True}
    figures = read_note(report_of(service, manifest, digest) / "figures.json") or {}
    told = {"metrics": figures.get("metrics"), "judged_on": judged_on(figures)}
    return {**_summary(digest, manifest), **told}


def judged_on(figures: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The test that figures are of, over all splits: from when until when its clues were raised,
    how many of them have an outcome and how many became cases; None where it was not told."""
    try:
        splits = [
            (
                str(each["test_from"]),
                str(each["test_until"]),
                each["test_clues"],
                each["test_cases"],
            )
            for each in (figures or {})["splits"]
        ]
        return {
            "from": datetime.fromisoformat(min(each[0] for each in splits)).isoformat(),
            "until": datetime.fromisoformat(max(each[1] for each in splits)).isoformat(),
            "splits": len(splits),
            "clues": int(sum(each[2] for each in splits)),
            "cases": int(sum(each[3] for each in splits)),
        }
    except (KeyError, TypeError, ValueError):
        return None


def _summary(digest: str, manifest: Manifest) -> dict[str, Any]:
    names = ("experiment", "trained_until", "trees", "features_fingerprint")
    told = manifest.model_dump(mode="json", include=set(names))
    return {"scorer": digest, **told, "features": len(manifest.features), "spoilt": False}


def report_of(service: Service, manifest: Manifest, digest: str) -> Path:
    """The folder of the report of the training that made a scorer; it may not be there."""
    return service.home.reports / f"{Path(manifest.experiment).name}-{digest[:12]}"


def _challenger(scorers: Path) -> dict[str, Any] | None:
    try:
        challenger = read_challenger(scorers)
    except CluesError:
        return None
    return None if challenger is None else asdict(challenger)
