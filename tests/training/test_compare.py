"""Runs beside each other: the same rows, paired by clue, ranked apart where splits differ."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from base.errors import NotFound, Refused
from cli import comparing
from governance.home import Home
from governance.jurisdiction import load_jurisdiction
from scoring.champion import read_champion
from scoring.registry import CHAMPION, client, registered_name
from training.compare import LOWER_IS_BETTER, Comparison, better, compare, told
from training.compared_table import comparison_tables
from training.metrics import evaluate_scores, mean_figures

MONTH, DRAWS = timedelta(days=30), 200


def scores(seed: int = 1, rows: int = 400) -> pa.Table:
    """Test rows of two splits of 200 days each, three in four with a label; `guess` is luck."""
    draw = np.random.default_rng(seed)
    guilt = draw.normal(-1, 1, rows)
    label = np.where(draw.random(rows) < 1 / (1 + np.exp(-guilt)), 1.0, 0.0)
    label[draw.random(rows) < 0.25] = np.nan
    day = np.arange(rows) * 400 // rows
    return pa.table(
        {
            "split": pa.array(1 + day // 200, pa.int32()),
            "clue_id": [f"c{at}" for at in range(rows)],
            "subject_id": [f"s{at // 2}" for at in range(rows)],
            "office_id": draw.choice(["AH0101", "AH0102"], rows).tolist(),
            "raised_at": pa.array(
                [datetime(2024, 1, 1) + timedelta(days=int(each)) for each in day], "timestamp[us]"
            ),
            "label": pa.array(label, from_pandas=True),
            "probability": 1 / (1 + np.exp(-guilt)),
            "score_scorer": guilt + draw.normal(0, 0.5, rows),
            "score_guess": draw.integers(0, 4, rows).astype(float),
        }
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home of the simulated province without a scorer of its own."""
    return Home.create(tmp_path_factory.mktemp("home"), load_jurisdiction("anhui"))


def keep(home: Home, name: str, table: pa.Table) -> str:
    """Put test rows where training puts them; the folder names the run."""
    folder = home.reports / name
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "test_scores.parquet")
    return str(folder)


def changed(table: pa.Table, **columns: object) -> pa.Table:
    """The table with other values in some columns."""
    for name, values in columns.items():
        at = table.column_names.index(name) if name in table.column_names else table.num_columns
        table = (
            table.set_column(at, name, pa.array(values, from_pandas=True))
            if at < table.num_columns
            else table.append_column(name, pa.array(values, from_pandas=True))
        )
    return table


def column(table: pa.Table, name: str) -> np.ndarray:
    """A column as numbers, NaN where empty."""
    return np.asarray(table[name].to_numpy(), float)


def auc(table: pa.Table, name: str) -> float:
    """Mean over splits, as training tells it."""
    parts = [table.filter(pa.array(column(table, "split") == at)) for at in (1, 2)]
    figures = [evaluate_scores(column(part, name), column(part, "label")) for part in parts]
    return float(mean_figures(figures)["auc"])


def auc_found(found: Comparison, name: str) -> float:
    """What the comparison says."""
    return float(found.found.seen[name]["auc"])


def test_one_run_is_compared_within_itself(home: Home) -> None:
    """Figures are training's own; the scorer is surely better than luck, and luck is not."""
    table = scores()
    answer = compare(home, [keep(home, "a-aaaaaaaaaaaa", table)], redraws=DRAWS).as_json()
    assert answer["reference"] == "scorer"
    for name in ("scorer", "guess"):
        found = answer["figures"][name]["auc"]
        assert found["value"] == pytest.approx(auc(table, f"score_{name}"))
        assert found["low"] < found["value"] < found["high"]
    apart = answer["differences"]["guess"]["auc"]
    assert apart["difference"] == pytest.approx(
        auc(table, "score_scorer") - auc(table, "score_guess")
    )
    assert apart["low"] > 0
    assert apart["better"] == "reference"
    assert answer["differences"]["guess"]["tail_recall_loss"]["high"] < 0
    assert answer["differences"]["guess"]["tail_recall_loss"]["better"] == "reference"
    assert "ece" not in answer["differences"]["guess"]
    known = int((~np.isnan(column(table, "label"))).sum())
    assert answer["rows"] == {
        "common": 400,
        "labelled": known,
        "cases": int(np.nansum(column(table, "label"))),
        "splits": 2,
        "labels_differ": 0,
        "labelled_in_some": 0,
        "subjects": answer["rows"]["subjects"],
    }
    assert known / 2 < answer["rows"]["subjects"] <= 200


def test_rows_are_paired_by_clue_not_by_place(home: Home) -> None:
    """The same scores in another order differ by nothing, in any figure; what is the same ranking
    in both is told once."""
    table = scores()
    shuffled = table.take(np.random.default_rng(3).permutation(400))
    runs = [keep(home, "a-aaaaaaaaaaaa", table), keep(home, "b-bbbbbbbbbbbb", shuffled)]
    answer = compare(home, runs, redraws=DRAWS).as_json()
    assert list(answer["figures"]) == ["aaaaaaaa/scorer", "aaaaaaaa/guess", "bbbbbbbb/scorer"]
    same = answer["differences"]["bbbbbbbb/scorer"]
    assert {"auc", "ece", "brier", "cases_found/20", "cases_found_at_capacity"} <= set(same)
    for each in same.values():
        assert each == {"difference": 0, "low": 0, "high": 0, "better": "open"}


def test_only_rows_that_all_runs_have_are_judged(home: Home) -> None:
    """Their number is named, and figures are those of these rows."""
    table = scores()
    part = table.filter(pa.array(np.arange(400) % 3 > 0))
    runs = [keep(home, "a-aaaaaaaaaaaa", table), keep(home, "c-cccccccccccc", part)]
    found = compare(home, runs, redraws=DRAWS)
    assert found.counts["common"] == part.num_rows
    assert auc_found(found, "aaaaaaaa/scorer") == pytest.approx(auc(part, "score_scorer"))


def test_rows_whose_label_is_not_agreed_are_left_out_and_counted(home: Home) -> None:
    """A late correction, and an end that one run could not know yet."""
    table = scores()
    label = column(table, "label").copy()
    known = np.flatnonzero(~np.isnan(label))
    label[known[:3]] = 1 - label[known[:3]]
    label[known[3:8]] = np.nan
    later = changed(table, label=label)
    runs = [keep(home, "a-aaaaaaaaaaaa", table), keep(home, "d-dddddddddddd", later)]
    found = compare(home, runs, redraws=DRAWS)
    assert found.counts["labels_differ"] == 3
    assert found.counts["labelled_in_some"] == 5
    assert found.counts["labelled"] == len(known) - 8
    agreed = column(table, "label").copy()
    agreed[known[:8]] = np.nan
    wanted = auc(changed(table, label=agreed), "score_scorer")
    assert auc_found(found, "aaaaaaaa/scorer") == pytest.approx(wanted)
    assert "3 clues have another label" in comparison_tables(found)


def test_clues_of_two_scorers_never_stand_in_one_queue(home: Home) -> None:
    """Scores of a second split that are all higher change nothing, however the runs were cut."""
    table = scores()
    lifted = column(table, "score_scorer") + 100 * (column(table, "split") == 2)
    other = changed(
        table,
        split=np.ones(400, np.int32),
        score_scorer=lifted,
        score_guess=lifted,
    )
    apart = changed(table, score_scorer=lifted)
    runs = [keep(home, "e-eeeeeeeeeeee", apart), keep(home, "f-ffffffffffff", other)]
    found = compare(home, runs, redraws=DRAWS)
    assert found.counts["splits"] == 2
    for name in ("eeeeeeee/scorer", "ffffffff/scorer"):
        assert auc_found(found, name) == pytest.approx(auc(table, "score_scorer"))


def test_splits_can_be_chosen(home: Home) -> None:
    """The second alone; one that is not there is refused."""
    table = scores()
    run = keep(home, "a-aaaaaaaaaaaa", table)
    found = compare(home, [run], only_splits=[2], redraws=DRAWS)
    part = table.filter(pa.array(column(table, "split") == 2))
    wanted = evaluate_scores(column(part, "score_scorer"), column(part, "label"))
    assert auc_found(found, "scorer") == pytest.approx(wanted["auc"])
    with pytest.raises(Refused, match="splits 1 to 2 of the first run; got 5"):
        compare(home, [run], only_splits=[2, 5])


def test_selection_weights_give_a_second_reading(home: Home) -> None:
    """Where the first run kept them; the naive figures stay."""
    table = scores()
    weight = np.random.default_rng(8).uniform(0.5, 4, 400)
    run = keep(home, "g-gggggggggggg", changed(table, selection_weight=weight))
    answer = compare(home, [run], only_splits=[1], redraws=DRAWS).as_json()
    part = column(table, "split") == 1
    score, label = column(table, "score_scorer")[part], column(table, "label")[part]
    plain = evaluate_scores(score, label)
    weighted = evaluate_scores(score, label, weight=weight[part])
    assert answer["figures"]["scorer"]["auc"]["value"] == pytest.approx(plain["auc"])
    assert answer["weighted"]["figures"]["scorer"]["auc"]["value"] == pytest.approx(weighted["auc"])
    assert plain["auc"] != pytest.approx(weighted["auc"], abs=1e-4)


def test_an_office_that_nobody_declared_is_a_note_not_a_figure(home: Home) -> None:
    """Everything else is told; a figure for offices that are there is told with its interval."""
    table = scores()
    told_here = compare(home, [keep(home, "a-aaaaaaaaaaaa", table)], redraws=DRAWS)
    assert 0 < told_here.found.seen["scorer"]["cases_found_at_capacity"] <= 1
    strange = changed(table, office_id=["elsewhere"] * 400)
    found = compare(home, [keep(home, "h-hhhhhhhhhhhh", strange)], redraws=DRAWS)
    assert "cases_found_at_capacity" not in found.found.seen["scorer"]
    assert any("400 clues of no office" in note for note in found.notes)


def test_one_class_in_a_split_leaves_figures_out_without_a_nan(home: Home) -> None:
    """JSON has null where nothing can be told."""
    table = scores()
    label = np.where(column(table, "split") == 2, 0.0, column(table, "label"))
    run = keep(home, "i-iiiiiiiiiiii", changed(table, label=label))
    found = compare(home, [run], redraws=DRAWS)
    answer = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert answer["figures"]["scorer"]["auc"] is None
    assert "auc" not in answer["differences"]["guess"]
    assert answer["figures"]["scorer"]["brier"]["low"] > 0
    assert "nan" not in comparison_tables(found)


def test_what_cannot_be_compared_is_refused(home: Home) -> None:
    """Each with what was wanted, what came and the cure."""
    table = scores()
    one = keep(home, "a-aaaaaaaaaaaa", table)
    elsewhere = changed(table, clue_id=[f"x{at}" for at in range(400)])
    with pytest.raises(Refused, match=r"all runs have; got none \(aaaaaaaa of a: 400"):
        compare(home, [one, keep(home, "j-jjjjjjjjjjjj", elsewhere)])
    unknown = changed(table, label=np.full(400, np.nan))
    with pytest.raises(Refused, match="400 common rows, none with a label"):
        compare(home, [one, keep(home, "k-kkkkkkkkkkkk", changed(unknown, label=[None] * 400))])
    with pytest.raises(Refused, match="different runs"):
        compare(home, [one, one])
    twice = keep(home, "l-llllllllllll", pa.concat_tables([table, table]))
    with pytest.raises(Refused, match="a clue tested twice"):
        compare(home, [twice])
    old = keep(home, "m-mmmmmmmmmmmm", table.drop_columns(["subject_id"]))
    with pytest.raises(Refused, match="no column subject_id; cure: train again"):
        compare(home, [old])
    absent = changed(table, score_guess=[None, *column(table, "score_guess")[1:]])
    with pytest.raises(Refused, match="guess: wanted a score for every labelled row"):
        compare(home, [keep(home, "n-nnnnnnnnnnnn", absent)])
    with pytest.raises(NotFound, match="a run id"):
        compare(home, ["no-such-run"])


@pytest.mark.parametrize("figure", ["auc", *sorted(LOWER_IS_BETTER)])
def test_better_is_lower_for_errors(figure: str) -> None:
    """An interval above 0 speaks for the reference where higher is better, else for the other."""
    winner, loser = ("other", "reference") if figure in LOWER_IS_BETTER else ("reference", "other")
    assert better(figure, 0.1, 0.2) == winner
    assert better(figure, -0.2, -0.1) == loser
    assert better(figure, -0.1, 0.2) == "open"
    assert better(figure, 0.0, 0.0) == "open"


def test_a_run_is_found_by_its_id_its_digest_and_its_folder(province: Home) -> None:
    """All three are the same run, and its figures are those training told."""
    digest = read_champion(province.scorers).scorer
    version = client(province).get_model_version_by_alias(registered_name(province), CHAMPION)
    folder = next(province.reports.glob(f"*-{digest[:12]}"))
    answers = [
        compare(province, [asked], redraws=100)
        for asked in (version.run_id, digest[:10], str(folder), str(folder / "report.html"))
    ]
    assert len({json.dumps(told(each.found, each.reference)) for each in answers}) == 1
    run = client(province).get_run(version.run_id)
    assert auc_found(answers[0], "scorer") == pytest.approx(run.data.metrics["auc"])
    with pytest.raises(NotFound, match="of this home that made a scorer"):
        compare(province, ["0" * 32])


def test_the_command_answers_fills_a_document_and_refuses(home: Home, tmp_path: Path) -> None:
    """JSON alone on stdout; the block between the marks is new, the rest stays; exit code 2."""
    app = typer.Typer()
    app.command("compare")(comparing.compare)
    run = keep(home, "a-aaaaaaaaaaaa", scores())
    common = ["--home", str(home.path), "--redraws", "100"]
    done = CliRunner().invoke(app, [run, *common, "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["differences"]["guess"]["auc"]["better"] == "reference"
    document = tmp_path / "results.md"
    document.write_text("before\n<!-- figures a -->\nstale\n<!-- end of figures a -->\nafter\n")
    done = CliRunner().invoke(app, [run, *common, "--figure", "auc", "--into", str(document)])
    assert done.exit_code == 0
    written = document.read_text("utf-8")
    assert written.startswith("before\n<!-- figures a -->\na (scorer aaaaaaaaaaaa): mean over 2")
    assert "| order | AUC |" in written
    assert written.endswith("<!-- end of figures a -->\nafter\n")
    assert "stale" not in written
    again = CliRunner().invoke(app, [run, *common, "--figure", "auc", "--into", str(document)])
    assert again.exit_code == 0
    assert document.read_text("utf-8") == written
    for wrong in (["--block", "b", "--into", str(document)], ["--figure", "aux"]):
        assert CliRunner().invoke(app, [run, *common, *wrong]).exit_code == 2
