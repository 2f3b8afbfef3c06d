"""A scorer at work: margins, probabilities, flags, contributions. One digest for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scoring.bundle import (
    Manifest,
    check_bundle,
    read_calibrator,
    read_manifest,
    require_golden_margins,
)
from scoring.calibration import SigmoidCalibrator
from scoring.explainer import Explainer, build_explainer
from scoring.explanation import Explanation
from scoring.matrix import input_flags, to_matrix

Floats = npt.NDArray[np.float64]
SMALL_BATCH = 256


@dataclass(frozen=True)
class Scores:
    """Per row: margin (log-odds), calibrated probability (rounded), flags about the inputs."""

    margin: Floats
    probability: Floats
    flags: list[list[str]]


@dataclass(frozen=True)
class Scorer:
    """A loaded bundle. Safe to share between threads: it never changes after loading."""

    digest: str
    manifest: Manifest
    calibrator: SigmoidCalibrator
    booster: lgb.Booster
    explainer: Explainer
    threads: int = 1

    @classmethod
    def load(cls, folder: Path, digest: str, threads: int = 1) -> Scorer:
        """Load a bundle whose bytes have the digest and whose golden rows give their margins.

        A malformed text model can kill the process that parses it: who loads a bundle that was
        not written by this machine runs `scoring.trial.try_bundle` first.
        """
        check_bundle(folder, digest)
        manifest = read_manifest(folder)
        model = (folder / "model.txt").read_text("utf-8")
        booster = lgb.Booster(model_str=model)
        golden = table_of_rows(manifest, [row.values for row in manifest.golden])
        explainer = build_explainer(booster, model, to_matrix(manifest.features, golden))
        scorer = cls(digest, manifest, read_calibrator(folder), booster, explainer, threads)
        scorer.check_golden_rows()
        return scorer

    def check_golden_rows(self) -> None:
        """Refuse a scorer that does not give the margins it gave when it was made."""
        golden = self.manifest.golden
        margin = self.score(table_of_rows(self.manifest, [row.values for row in golden])).margin
        require_golden_margins(self.manifest, margin)

    def score(self, table: pa.Table) -> Scores:
        """Score feature rows; columns are taken by name, whatever their order."""
        matrix = to_matrix(self.manifest.features, table)
        return self.score_matrix(matrix, input_flags(self.manifest.features, table))

    def score_matrix(self, matrix: Floats, flags: list[list[str]]) -> Scores:
        """The same for rows that are a matrix already, in the manifest's order."""
        margin = self._margin(matrix)
        return Scores(margin, self.calibrator.probability(margin, matrix), flags)

    def explain(self, table: pa.Table) -> Explanation:
        """Contributions of every feature; with `base` they add up to the margin within 1e-9."""
        return self.explain_matrix(to_matrix(self.manifest.features, table))

    def explain_matrix(self, matrix: Floats) -> Explanation:
        """The same for rows that are a matrix already, in the manifest's order."""
        return self.explainer.explain(matrix, self._threads(len(matrix)))

    def _margin(self, matrix: Floats) -> Floats:
        added = self.explainer.margins(matrix) if len(matrix) <= SMALL_BATCH else None
        if added is not None:
            return added
        threads = self._threads(len(matrix))
        margin = self.booster.predict(matrix, raw_score=True, num_threads=threads)
        return np.asarray(margin, np.float64)

    def _threads(self, rows: int) -> int:
        """Small batches lose more to waiting for threads than they gain."""
        return 1 if rows <= SMALL_BATCH else self.threads


def table_of_rows(manifest: Manifest, rows: list[tuple[float | str | None, ...]]) -> pa.Table:
    """Rows of plain values, in the manifest's order, as a feature table."""
    columns = {}
    for at, feature in enumerate(manifest.features):
        kind = pa.string() if feature.type == "category" else pa.float64()
        columns[feature.name] = pa.array([row[at] for row in rows], kind)
    return pa.table(columns)
