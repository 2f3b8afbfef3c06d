"""Runs beside each other: compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers

Runs = Annotated[list[str], typer.Argument(help="Run ids, scorers' digests or folders of reports.")]


@answers
def compare(
    runs: Runs,
    split: Annotated[
        list[int] | None, typer.Option(help="Only this split of the first run; may be repeated.")
    ] = None,
    figure: Annotated[
        list[str] | None, typer.Option(help="A figure to show, such as auc; may be repeated.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="Write the tables into this document's block of figures.")
    ] = None,
    block: Annotated[
        str | None, typer.Option(help="The block's name; default: the first run's experiment.")
    ] = None,
    redraws: Annotated[int, typer.Option(min=100, help="Resamples of the subjects.")] = 1_000,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Paired differences with intervals over the test rows that all runs have; one run: within it.

    Words are Markdown tables, as documents show them.
    """
    from governance.home import Home
    from training.compare import compare as compare_runs
    from training.compared_table import SHOWN, comparison_tables, fill_block

    found = compare_runs(Home.open(home), runs, only_splits=split or (), redraws=redraws)
    tables = comparison_tables(found, figure or SHOWN)
    if into is not None:
        fill_block(into, block or found.runs[0].experiment, tables)
    if as_json:
        return found.as_json()
    print(tables, end="")
    return {} if into is None else {"written": str(into)}
