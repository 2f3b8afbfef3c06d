"""The sacrificial process: parses a bundle as the service would, and may die of it.

`python -m scoring.tried FOLDER DIGEST`; exit 0: it is good; 2: refused, with the reason on stdout.
It loads what parses, scores and explains a text model, and no more: many are started. The compiled
kernels are not run here; they follow tables that `read_forest` has checked.
"""

from __future__ import annotations

import sys
from pathlib import Path

from base.errors import CluesError
from base.lean import go_without


def main(folder: str, digest: str) -> int:
    """Try the bundle."""
    try:
        _try(Path(folder), digest)
    except (CluesError, ValueError) as error:
        sys.stdout.write(str(error))
        return 2
    return 0


def _try(folder: Path, digest: str) -> None:
    import lightgbm as lgb
    import numpy as np

    from scoring.bundle import (
        check_bundle,
        read_calibrator,
        read_manifest,
        require_golden_margins,
    )  # fmt: skip
    from scoring.quadrature.reading import forest_of

    check_bundle(folder, digest)
    manifest = read_manifest(folder)
    read_calibrator(folder)
    model = (folder / "model.txt").read_text("utf-8")
    booster = lgb.Booster(model_str=model)
    rows = [
        [
            feature.code_of(value)
            for feature, value in zip(manifest.features, row.values, strict=True)
        ]
        for row in manifest.golden
    ]
    matrix = np.array(rows, np.float64).reshape(len(rows), len(manifest.features))
    if rows:
        margin = booster.predict(matrix, raw_score=True, num_threads=1)
        require_golden_margins(manifest, np.asarray(margin, np.float64))
        booster.predict(matrix, pred_contrib=True, num_threads=1)
    forest_of(model)


if __name__ == "__main__":
    go_without()
    sys.exit(main(sys.argv[1], sys.argv[2]))
