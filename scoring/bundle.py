"""A scorer bundle: text and JSON in a folder named by their digest. Data, never executed code.

model.txt        LightGBM text model, trees cut to those used
manifest.json    features in order, identities, golden rows
calibrator.json  margin -> probability
reference.json   rows that training saw, for what a missing fact could be (bundles of before: none)
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from base.bilingual import Bilingual
from base.errors import NotFound, NotReady, Refused
from features.shapes import Show
from scoring.calibration import PROBABILITY_DIGITS, SigmoidCalibrator

FILES = ("model.txt", "manifest.json", "calibrator.json")
REFERENCE = "reference.json"
LOOKED_UP = re.compile(r"__[a-z].*_(all|\d+d)$")
Value = float | str | None


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FeatureGroup(Frozen):
    """Features that a reviewer may read as one reason."""

    name: str
    title: Bilingual


class ScoredFeature(Frozen):
    """One input of a scorer, with what training saw of it.

    `group`: what a reviewer reads it in; None: only in the sum of all others. `title`: what is told
    to be unknown where nothing is known; bundles of before have none. `labels`: codes in words.
    """

    name: str
    type: Literal["numeric", "category"]
    show: Show
    window_days: int | None
    sentence: Bilingual
    categories: tuple[str, ...] = ()
    labels: dict[str, Bilingual] = {}
    minimum: float | None = None
    maximum: float | None = None
    missing_share: float
    group: FeatureGroup | None = None
    title: Bilingual | None = None

    @property
    def is_looked_up(self) -> bool:
        """Computed over records, by its name (GROUP__KIND_WINDOW); else the clue's own."""
        return self.window_days is not None or LOOKED_UP.search(self.name) is not None

    @property
    def is_ratio(self) -> bool:
        """A ratio of features.yaml, by its name (GROUP__ratio_WINDOW): bundles of before tell it
        no other way."""
        return self.name.rpartition("__")[2].startswith("ratio_") and self.show == "share"

    def code_of(self, value: Value) -> float:
        """A value as the trees read it: a category by its place, what is missing or unknown NaN."""
        if self.type == "numeric":
            return math.nan if value is None else float(value)
        return float(self.categories.index(value)) if value in self.categories else math.nan


class GoldenRow(Frozen):
    """An input row (None = missing; categories by name) and the margin it must give."""

    values: tuple[Value, ...]
    margin: float


class Reference(Frozen):
    """Rows spread over the training set, in the manifest's order (None = missing)."""

    rows: tuple[tuple[Value, ...], ...]


class Manifest(Frozen):
    """Who this scorer is, and everything needed to feed it."""

    jurisdiction: str
    experiment: str
    label: dict[str, Any]
    features: tuple[ScoredFeature, ...]
    features_fingerprint: str
    training_set: str
    versions: dict[str, int]
    trained_until: str
    trees: int
    lightgbm: str
    probability_digits: int = PROBABILITY_DIGITS
    golden: tuple[GoldenRow, ...]


def write_bundle(
    scorers: Path,
    booster: lgb.Booster,
    manifest: Manifest,
    calibrator: SigmoidCalibrator,
    reference: Reference | None = None,
) -> str:
    """Write a bundle below `scorers`; returns its digest, which is the folder's name.

    One that is there already stays untouched: it may be the champion.
    """
    scorers.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=scorers, prefix=".draft-"))
    draft.chmod(0o755)
    (draft / "model.txt").write_text(booster.model_to_string(num_iteration=-1), "utf-8")
    (draft / "manifest.json").write_text(_pretty(manifest), "utf-8")
    (draft / "calibrator.json").write_text(_pretty(calibrator), "utf-8")
    if reference is not None:
        (draft / REFERENCE).write_text(_row_by_row(reference), "utf-8")
    digest = bundle_digest(draft)
    kept = scorers / digest
    if _holds(kept, digest):
        shutil.rmtree(draft)
    else:
        shutil.rmtree(kept, ignore_errors=True)
        draft.rename(kept)
    return digest


def _holds(folder: Path, digest: str) -> bool:
    try:
        return bundle_digest(folder) == digest
    except NotFound:
        return False


def bundle_digest(folder: Path) -> str:
    """sha256 hex over names, lengths and bytes of the three files, and of the fourth if there."""
    whole = hashlib.sha256()
    for name in (*FILES, *([REFERENCE] if (folder / REFERENCE).exists() else [])):
        try:
            data = (folder / name).read_bytes()
        except OSError:
            raise NotFound(
                wanted=f"{name} in a scorer bundle", got="no such file", cure="copy it again"
            ) from None
        whole.update(f"{name}\n{len(data)}\n".encode())
        whole.update(data)
    return whole.hexdigest()


def check_bundle(folder: Path, digest: str) -> None:
    """Refuse a bundle whose bytes are not those that were registered. Nothing is parsed before."""
    got = bundle_digest(folder)
    if got != digest:
        raise Refused(
            wanted=f"a scorer bundle with digest {digest}",
            got=got,
            cure="restore the bundle from the registry; the champion goes on serving",
        )


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle (check the digest first)."""
    return Manifest.model_validate_json((folder / "manifest.json").read_text("utf-8"))


def require_golden_margins(manifest: Manifest, margin: npt.NDArray[np.float64]) -> None:
    """Refuse a scorer that does not give the margins it gave when it was made."""
    wanted = np.array([row.margin for row in manifest.golden])
    if not np.array_equal(margin, wanted):
        raise Refused(
            wanted="the golden rows' margins, bit for bit",
            got=f"{int((margin != wanted).sum())} of {len(wanted)} differ",
            cure="restore the bundle, or train again with this LightGBM",
        )


def read_calibrator(folder: Path) -> SigmoidCalibrator:
    """The calibrator of a bundle (check the digest first)."""
    return SigmoidCalibrator.model_validate_json((folder / "calibrator.json").read_text("utf-8"))


def read_reference(folder: Path) -> Reference:
    """The reference rows of a bundle (check the digest first). NotReady where it has none."""
    try:
        text = (folder / REFERENCE).read_text("utf-8")
    except FileNotFoundError:
        raise NotReady(
            wanted="a scorer with reference rows",
            got="one of before they were kept",
            cure="train and promote a scorer: clues train EXPERIMENT",
        ) from None
    return Reference.model_validate_json(text)


def find_digest(scorers: Path, start: str) -> str:
    """The digest of the one bundle that begins with `start` (at least 6 digits)."""
    found = [path.name for path in scorers.glob(f"{start}*") if path.is_dir()]
    if len(start) < 6 or len(found) != 1:
        raise NotFound(
            wanted="the digest of one scorer, or at least its first 6 digits",
            got=f"{start!r}, which {len(found)} have",
            cure="see `clues train` or home/scorers for the digests",
        )
    return found[0]


def _row_by_row(reference: Reference) -> str:
    rows = (json.dumps(row, ensure_ascii=False) for row in reference.rows)
    return '{"rows": [\n' + ",\n".join(rows) + "\n]}\n"


def _pretty(model: BaseModel) -> str:
    return json.dumps(model.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"
