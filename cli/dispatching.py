"""The command centre: what-if, proposals confirmed, deadlines watched."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers

OfficeOption = Annotated[str, typer.Option(help="The office.")]


@answers
def what_if(
    office: OfficeOption,
    more: Annotated[int, typer.Option(help="People more (negative: fewer).")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """How many more cases this week's queue is expected to give with more people at an office."""
    from dispatch.what_if import what_if as ask
    from dispatch.working_week import open_week

    at_work = open_week(home)
    week = at_work.of(office)
    found = ask(
        week.queue,
        week.probability,
        office_id=office,
        capacity=week.places,
        more=more,
        rules=at_work.ways.rules,
    )
    return found.as_json()


@answers
def dispatch(
    office: OfficeOption,
    confirm: Annotated[bool, typer.Option(help="Dispatch what is proposed.")] = False,
    by: Annotated[str, typer.Option(help="Who confirms.")] = "",
    only: Annotated[list[str] | None, typer.Option(help="These clues alone.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """What the ranking proposes for an office's week; with --confirm it is dispatched."""
    from dispatch.working_week import open_week

    return open_week(home).dispatch(office, confirmed=confirm, by=by, only=only or [])


@answers
def overdue(
    office: Annotated[str | None, typer.Option(help="This office and those below it.")] = None,
    escalate: Annotated[bool, typer.Option(help="Bring them before the offices above.")] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Clues past their deadline, the latest first."""
    from dispatch.working_week import open_week

    return open_week(home).overdue(office, escalated=escalate)
