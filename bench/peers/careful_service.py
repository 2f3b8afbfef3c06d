"""A careful service: FastAPI and orjson, no DataFrame, one call of `pred_contrib` for everything.

`python careful_service.py FOLDER PORT`; uvicorn with uvloop and httptools, one worker, LightGBM on
one thread.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from http_parts import Parts

parts = Parts(Path(sys.argv[1]))
codes = {word: float(code) for code, word in enumerate(parts.words)}
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> Response:
    """Probability and reasons of one clue."""
    clue = orjson.loads(await request.body())
    values = [clue.get(name) for name in parts.names]
    row = [codes.get(value) if isinstance(value, str) else value for value in values]
    matrix = np.array([row], np.float64)
    whole = parts.booster.predict(matrix, pred_contrib=True, num_threads=1)[0]
    reply = parts.reply(values, whole[:-1].tolist(), float(whole.sum()))
    return Response(orjson.dumps(reply), media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, loop="uvloop",
        http="httptools",
    )  # fmt: skip
