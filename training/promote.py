"""Promotion and its way back: one person proposes, another approves; then the bundle serves."""

from __future__ import annotations

import json
from typing import Any

from base.errors import Conflict, Fault, Refused
from base.moment import Clock
from features.declared import declared_features
from governance.home import Home
from scoring.audit import tell_promotion
from scoring.bundle import find_digest, read_manifest
from scoring.champion import (
    champion_before,
    find_before,
    find_champion,
    require_two_persons,
    write_champion,
)
from scoring.champion import roll_back as put_back
from scoring.ledger import open_ledger
from scoring.registry import alias_champion, tell_registry
from scoring.trial import try_bundle
from training.promotion_rule import TITLES, Verdict
from training.side_by_side import weigh


def promote(
    home: Home,
    scorer: str,
    *,
    by: str,
    approved_by: str,
    clock: Clock,
    despite: str | None = None,
) -> dict[str, Any]:
    """Try the bundle in a process of its own, weigh it, put it in use, then tell the registry.

    `scorer` is a digest or its beginning. Raises NotFound, or Refused where the two persons are
    one, the bundle fails its trial, or the promotion rule is not met and no reason `despite` it
    is given; then the champion stays. The reason is kept with the two names.
    """
    require_two_persons(by, approved_by)
    digest = find_digest(home.scorers, scorer)
    _require_another(home, digest)
    _require_serves(home, digest)
    weighed = weigh(home, digest)
    why = (despite or "").strip() or None
    if not weighed.verdict.passed and why is None:
        raise Refused.gather(_unmet(weighed.verdict))
    tell_promotion(
        open_ledger(home.ledger_url),
        digest,
        change="promoted",
        by=by,
        approved_by=approved_by,
        clock=clock,
    )
    champion = write_champion(
        home.scorers,
        digest,
        by=by,
        approved_by=approved_by,
        at=clock.now(),
        why=why,
        failed=tuple(reason.rule for reason in weighed.verdict.failed),
    )
    return {
        "champion": champion.scorer,
        "previous": champion.previous,
        "passed": weighed.verdict.passed,
        "judged_on": weighed.figures.get("rows"),
        "reasons": [reason.as_json() for reason in weighed.verdict.reasons],
        "registry": tell_registry(alias_champion, home, digest),
    }


def keep_weighing(home: Home, scorer: str, clock: Clock) -> dict[str, Any]:
    """Weigh a scorer beside the champion and keep what the rule said, without promoting it.

    Two persons may then decide over HTTP, where nothing is judged. What a retraining noted of the
    same scorer (its run, its report) stays beside it.
    """
    digest = find_digest(home.scorers, scorer)
    weighed = weigh(home, digest).as_json()
    path = home.proposals / f"{digest}.json"
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    home.proposals.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    note = {**known, "weighed_at": clock.now().isoformat(), **weighed}
    draft.write_text(json.dumps(note, ensure_ascii=False, indent=1) + "\n", "utf-8")
    draft.replace(path)
    return {**weighed, "kept": str(path)}


def roll_back(
    home: Home, *, by: str, approved_by: str, clock: Clock, why: str | None = None
) -> dict[str, Any]:
    """Put the champion before this one in use again. It served before: no rule is asked, a reason
    is.

    Returns `champion`, `taken_back` (the one in use until now) and `previous` (where the next roll
    back would lead). Raises NotReady where there was none before, Refused without a reason or where
    its bundle fails its trial now.
    """
    require_two_persons(by, approved_by)
    why = (why or "").strip()
    if not why:
        cure = "say why: --why REASON"
        raise Refused(wanted="why the champion is taken back", got="nothing", cure=cure)
    before = champion_before(home.scorers)
    _require_serves(home, before)
    tell_promotion(
        open_ledger(home.ledger_url),
        before,
        change="rolled_back",
        by=by,
        approved_by=approved_by,
        clock=clock,
    )
    champion = put_back(home.scorers, by=by, approved_by=approved_by, at=clock.now(), why=why)
    return {
        "champion": champion.scorer,
        "taken_back": champion.previous,
        "previous": find_before(home.scorers),
        "registry": tell_registry(alias_champion, home, champion.scorer),
    }


def _require_another(home: Home, digest: str) -> None:
    """Put in use again, it would be its own predecessor, and a roll back would lead nowhere."""
    champion = find_champion(home.scorers)
    if champion is not None and champion.scorer == digest:
        raise Conflict(
            wanted="a scorer that is not in use yet",
            got=f"{digest[:12]}, the champion since {champion.promoted_at}",
            cure="train another one, or leave it as it is",
        )


def _require_serves(home: Home, digest: str) -> None:
    """What the service would refuse is not put in use."""
    try_bundle(home.scorers / digest, digest)
    wanted = read_manifest(home.scorers / digest).features_fingerprint
    fingerprint = declared_features(home).fingerprint
    if wanted != fingerprint:
        raise Refused(
            wanted=f"a scorer of the feature definitions {fingerprint[:12]}",
            got=f"one of {wanted[:12]}",
            cure="train again, or restore features.yaml",
        )


def _unmet(verdict: Verdict) -> list[Fault]:
    return [
        Fault(
            reason.wanted.en,
            reason.got.en,
            "train a better scorer, or give the reason: --despite REASON",
            f"{reason.rule} ({TITLES[reason.rule].zh})",
        )
        for reason in verdict.failed
    ]
