"""What a jurisdiction declares: its supervision models checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers

if TYPE_CHECKING:
    from governance.jurisdiction import Jurisdiction

JurisdictionOption = Annotated[
    str | None, typer.Option(help="A bundled name or a folder; default: the home's.")
]


def _declared(jurisdiction: str | None, home: Path) -> Jurisdiction:
    from governance.home import Home
    from governance.jurisdiction import load_jurisdiction

    return load_jurisdiction(jurisdiction) if jurisdiction else Home.open(home).jurisdiction


@answers
def check_model(
    name: Annotated[str, typer.Argument(help="A supervision model of the jurisdiction.")],
    jurisdiction: JurisdictionOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Check a supervision model's SQL and run its examples; exit 2 where one does not hold."""
    from clues.examples import check_examples, examples_wanted, find_model
    from clues.supervision import load_supervision_models

    declared = _declared(jurisdiction, home)
    model = find_model(load_supervision_models(declared), name)
    checked = check_examples(model, declared)
    faults = [*examples_wanted(model, checked), *(f for each in checked for f in each.faults)]
    return {
        "model": model.name,
        "version": model.version,
        "reads": {record_set: list(columns) for record_set, columns in model.columns.items()},
        "examples": [
            {"name": each.name, "says": each.says.en, "finds": each.finds, "ok": not each.faults}
            for each in checked
        ],
        "faults": [str(fault) for fault in faults],
        "ok": not faults,
    }
