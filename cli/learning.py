"""The scorers learn: features, train."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers

if TYPE_CHECKING:
    from governance.home import Home


@answers
def features(
    output: Annotated[
        Path | None, typer.Option(help="The Parquet file to write; none: list what is declared.")
    ] = None,
    clues: Annotated[Path | None, typer.Option(help="Parquet with clue_id: these clues.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All clues ever raised.")] = False,
    purpose: Annotated[
        Literal["handling", "training", "export"],
        typer.Option(help="Who the file is for: others get ids and what is not open hidden."),
    ] = "handling",
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Compute the declared features of clues, each at its own moment; no --output: list them."""
    import pyarrow.parquet as pq

    from base.errors import Refused
    from base.progress import Stages
    from base.settings import Settings
    from clues.register import named_clues, require_clues
    from features.declared import declared_features
    from features.leaving import feature_table_for
    from features.table import build_features
    from governance.home import Home
    from governance.reading import Records

    if output is None:
        if clues is not None or every:
            raise Refused(wanted="--output FILE", got="clues and no file", cure="add --output")
        return _declared(Home.open(home), as_json)
    if (clues is None) == (not every):
        raise Refused(wanted="--clues FILE or --all", got="both or neither", cure="give one")
    opened = Home.open(home)
    rows = require_clues(opened) if clues is None else named_clues(opened, clues)
    definitions = declared_features(opened)
    started = time.perf_counter()
    with Records(opened) as records, Stages().stage("features") as bar:
        table = build_features(definitions, rows, records, threads=Settings().threads, progress=bar)
    table, hidden = feature_table_for(opened, definitions, table, purpose)
    output.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, output)
    return {
        "rows": table.num_rows,
        "features": len(definitions.features),
        "purpose": purpose,
        "hidden": hidden,
        "fingerprint": definitions.fingerprint,
        "seconds": round(time.perf_counter() - started, 3),
        "output": str(output),
    }


def _declared(home: Home, as_json: bool) -> dict[str, Any]:
    """Every feature of `features.yaml`: its name, the group it is read in, the records it is of,
    the days it looks back (`all`: all the time before) and its title, else its sentence."""
    from features.declared import declared_features
    from features.definition import LANGUAGES
    from scoring.sentences import ASKED, show_window

    definitions = declared_features(home)
    told = []
    for each in definitions.features:
        title = each.title or each.sentence
        said = " ".join(
            title.in_language(language)
            .replace("{value}", ASKED[language])
            .replace("{window}", show_window(each.window_days, language))
            for language in LANGUAGES
        )
        told.append({
            "name": each.name,
            "group": each.told_in and each.told_in.name,
            "source": each.source,
            "window": each.window_days or ("all" if each.grouping else None),
            "title": title.model_dump() if as_json else said,
        })  # fmt: skip
    return {"fingerprint": definitions.fingerprint, "features": told}


@answers
def train(
    experiment: Annotated[str, typer.Argument(help="NAME, or JURISDICTION/NAME.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Run an experiment: label, split, fit, calibrate, compare with baselines, register."""
    from base.moment import WallClock
    from base.progress import Stages
    from governance.home import Home
    from training.result_table import result_table
    from training.train import train as train_experiment

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    result = train_experiment(opened, experiment, clock, Stages())
    if as_json:
        return result.as_json()
    print("\n".join(result_table(result)), end="\n\n")
    return {"scorer": result.scorer, "run": result.run, "report": str(result.report)}
