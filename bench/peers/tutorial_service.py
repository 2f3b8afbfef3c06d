"""The service of a usual tutorial: FastAPI, a pydantic model, a DataFrame, a Booster, shap.

`python tutorial_service.py FOLDER PORT`; uvicorn with one worker, as its documents start it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shap
import uvicorn
from fastapi import FastAPI
from http_parts import Parts
from pydantic import create_model

parts = Parts(Path(sys.argv[1]))
explainer = shap.TreeExplainer(parts.booster)
fields: dict[str, Any] = {
    name: (str | None if name in parts.categories else float | None, None) for name in parts.names
}
Clue = create_model("Clue", **fields)
app = FastAPI()


@app.post("/predict")
def predict(clue: Clue) -> dict[str, Any]:  # type: ignore[valid-type]
    """Probability and reasons of one clue."""
    values = clue.model_dump()  # type: ignore[attr-defined]
    frame = pd.DataFrame([values], columns=parts.names)
    for name in parts.categories:
        codes = pd.Categorical(frame[name], categories=parts.words).codes.astype(float)
        frame[name] = np.where(codes < 0, np.nan, codes)
    frame = frame.astype(float)
    margin = float(parts.booster.predict(frame, raw_score=True)[0])
    shap_values = explainer.shap_values(frame)[0]
    return parts.reply(list(values.values()), shap_values.tolist(), margin)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False)
