"""Which scorer serves: promote, rollback, retrain, shadow; and what was left for later."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers, tell

ByOption = Annotated[str, typer.Option(help="Who proposes.")]
ApprovedByOption = Annotated[
    str, typer.Option("--approved-by", help="Who approves: another person.")
]


@answers
def promote(
    scorer: Annotated[str, typer.Argument(help="The scorer's digest, or its first 8 digits.")],
    by: ByOption,
    approved_by: ApprovedByOption,
    despite: Annotated[
        str | None, typer.Option(help="Why, although the promotion rule is not met. Kept.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Make a scorer the champion: the promotion rule is asked, and two persons are needed."""
    from base.moment import WallClock
    from governance.home import Home
    from training.promote import promote as promote_scorer

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    told = promote_scorer(
        opened, scorer, by=by, approved_by=approved_by, clock=clock, despite=despite
    )
    if as_json:
        return told
    return {**told, "judged_on": _test(told["judged_on"]), "reasons": _lines(told["reasons"])}


@answers
def weigh(
    scorer: Annotated[str, typer.Argument(help="The scorer's digest, or its first 8 digits.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """What the promotion rule says of a scorer beside the champion; kept, so that two persons
    can decide over HTTP. Promotes nothing."""
    from base.moment import WallClock
    from governance.home import Home
    from training.promote import keep_weighing

    opened = Home.open(home)
    told = keep_weighing(opened, scorer, WallClock(opened.jurisdiction.timezone))
    if as_json:
        return told
    names = ("scorer", "champion", "passed", "kept")
    judged_on = _test(told["figures"].get("rows"))
    return {
        **{name: told[name] for name in names},
        "judged_on": judged_on,
        "reasons": _lines(told["reasons"]),
    }


@answers
def rollback(
    by: ByOption,
    approved_by: ApprovedByOption,
    why: Annotated[
        str | None, typer.Option(help="Why the champion is taken back; wanted, and kept.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Put the champion before this one in use again; two persons and a reason are needed.

    `previous` is where the next roll back would lead, `taken_back` the scorer in use until now.
    """
    from base.moment import WallClock
    from governance.home import Home
    from training.promote import roll_back

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    return roll_back(opened, by=by, approved_by=approved_by, clock=clock, why=why)


@answers
def retrain(
    experiment: Annotated[str, typer.Argument(help="NAME, or JURISDICTION/NAME.")],
    later: Annotated[bool, typer.Option("--later", help="Leave it to `clues worker`.")] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Train again, compare with the champion by the rule, write a proposal; never promotes."""
    from base.moment import WallClock
    from base.progress import Stages
    from governance.home import Home

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    if later:
        from training.jobs import Jobs

        return Jobs(opened, clock).retrain_later(experiment)
    from training.retrain import retrain as retrain_experiment

    told = retrain_experiment(opened, experiment, clock, Stages())
    return told if as_json else {**told, "reasons": _lines(told["reasons"])}


@answers
def shadow(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> dict[str, Any]:
    """How far the challenger agrees with the champion on the clues the service was asked about."""
    from governance.home import Home
    from scoring.ledger import open_ledger
    from serving.shadow import shadow_agreement

    opened = Home.open(home)
    told = shadow_agreement(opened.scorers, open_ledger(opened.ledger_url))
    if not told["clues"]:
        tell("no clue was scored by both yet: clues serve, then let it be asked (POST /v1/scores)")
    return told


@answers
def worker(
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="Do what waits, then end.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Do the jobs that were left for later, one at a time: until Ctrl-C, which ends the job first.

    What a worker was killed over is done again by the next one. What `schedule` of monitoring.yaml
    names is done at its time, and MLflow told of a champion that it did not hear of.
    """
    from base.moment import WallClock
    from governance.home import Home
    from training.jobs import Jobs

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    jobs = Jobs(opened, clock, lambda ended: tell(json.dumps(ended, ensure_ascii=False)))
    if until_empty:
        return {"jobs": jobs.work_until_empty()}
    from cli.scheduling import by_the_clock

    for line in by_the_clock(jobs):
        tell(line)
    tell(f"waiting for jobs of {opened.path}; Ctrl-C ends")
    jobs.work()
    return {"jobs": jobs.done}


@answers
def jobs(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> dict[str, Any]:
    """Every job that was left for later, and what became of it."""
    from dataclasses import asdict

    from base.moment import WallClock
    from governance.home import Home
    from training.jobs import Jobs

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    return {"jobs": [asdict(job) for job in Jobs(opened, clock).all()]}


def _test(rows: dict[str, Any] | None) -> str | None:
    """The test that the rule's figures are of; None where nothing could be judged."""
    if rows is None:
        return None
    left = f"; {rows['left_out']} left out, the champion learned from them"
    return (
        f"the outcomes reported of {rows['labelled']} of {rows['clues']} test clues, raised"
        f" {rows['from'][:10]} to {rows['until'][:10]}: {rows['cases']} cases"
        f"{left if rows['left_out'] else ''}"
    )


def _lines(reasons: list[dict[str, Any]]) -> list[str]:
    """A verdict as a person reads it."""
    return [
        f"{'met' if each['passed'] else 'NOT MET'}: {each['title']['zh']} {each['title']['en']}:"
        f" {each['got']['en']} (wanted {each['wanted']['en']})"
        for each in reasons
    ]
