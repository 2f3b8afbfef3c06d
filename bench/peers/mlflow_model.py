"""A pyfunc that adds shap to a LightGBM model; `mlflow models serve` runs it.

`python mlflow_model.py FOLDER` saves it to FOLDER/mlflow.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel


class Explained(PythonModel):
    """Probability and reasons of each row."""

    def load_context(self, context: Any) -> None:
        import shap
        from http_parts import Parts

        self.parts = Parts(Path(context.artifacts["parts"]))
        self.explainer = shap.TreeExplainer(self.parts.booster)

    def predict(self, context: Any, model_input: pd.DataFrame) -> Any:  # noqa: ARG002
        parts = self.parts
        frame = model_input[parts.names].copy()
        for name in parts.categories:
            codes = pd.Categorical(frame[name], categories=parts.words).codes.astype(float)
            frame[name] = np.where(codes < 0, np.nan, codes)
        frame = frame.astype(float)
        margins = parts.booster.predict(frame, raw_score=True)
        shap_values = self.explainer.shap_values(frame)
        rows = model_input[parts.names].astype(object).where(frame.notna(), None).to_numpy()
        return [
            parts.reply(list(row), each.tolist(), float(margin))
            for row, each, margin in zip(rows, shap_values, margins, strict=True)
        ]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    here = Path(__file__).parent
    mlflow.pyfunc.save_model(
        folder / "mlflow",
        python_model=Explained(),
        artifacts={"parts": str(folder / "parts")},
        code_paths=[str(here / "http_parts.py")],
        pip_requirements=["lightgbm", "shap", "pandas"],
    )
