"""Rivals: scores made elsewhere, from a file, on the very test rows that judge our scorer.

A file is Parquet or CSV. It names its rows by `clue_id`, or by `subject_id` and `raised_at`
(`entity_id` and `as_of_date`, as the public peer triage writes them). The rival's `score` names the
column of the scores; in a long file, with columns `model` and `score`, it may name a model. A file
per split has `{split}` in its name, counted from 1 as in the report.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from base.errors import CluesError, Fault, NotFound, Refused, nearest
from training.baselines import Ranking
from training.experiment import Rival
from training.note import Note

Floats = npt.NDArray[np.float64]
MOMENT = pa.timestamp("us")
# Columns that name a row, as they may be called in a file, and the clue's columns they must equal.
KEYS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("clue_id",), ("clue_id",)),
    (("subject_id", "raised_at"), ("subject_id", "raised_at")),
    (("entity_id", "as_of_date"), ("subject_id", "raised_at")),
)
NAMES = frozenset({"clue_id", "subject_id", "entity_id", "model"})
MOMENTS = frozenset({"raised_at", "as_of_date"})
TOLD = 3


@dataclass(frozen=True)
class Compared:
    """Rivals by name, each with a score per test row (NaN where the row has none and needs none);
    `notes` tell how many unlabelled rows have no score.
    """

    rankings: Mapping[str, Ranking]
    notes: tuple[Note, ...]


def present_rivals(
    rivals: Collection[Rival], folder: Path, splits: int
) -> tuple[tuple[Rival, ...], tuple[Note, ...]]:
    """The rivals that have a file for each of `splits` splits, and a note for each that has not.

    Asked before anything is computed. Raises NotFound with every absent file of those that are not
    optional.
    """
    present, notes, faults = [], [], list[Fault]()
    for rival in rivals:
        names = dict.fromkeys(_file_name(rival, at) for at in range(1, splits + 1))
        absent = [name for name in names if not (folder / name).is_file()]
        if not absent:
            present.append(rival)
        elif rival.optional:
            files = ", ".join(absent)
            notes.append(
                Note(
                    f"rival {rival.name} is not compared: no file {files} in {folder.name}",
                    f"外部评分 {rival.name} 未参与比较：{folder.name} 中没有文件 {files}",
                )
            )
        else:
            faults += [_absent(rival, name).faults[0] for name in absent]
    if faults:
        raise NotFound.gather(faults)
    return tuple(present), tuple(notes)


def rank_rivals(
    rivals: Collection[Rival], folder: Path, clues: pa.Table, label: Floats, split: int
) -> Compared:
    """Every rival's order of the test `clues` (`label` is parallel, NaN: unknown).

    `folder` is where files are looked for, `split` counts from 1. Raises what `rival_ranking`
    does, for all rivals together.
    """
    rankings, notes, faults = {}, [], list[Fault]()
    for rival in rivals:
        try:
            ranking = rival_ranking(rival, folder, clues, label, split)
        except CluesError as error:
            faults += error.faults
            continue
        rankings[rival.name] = ranking
        if absent := int(np.isnan(ranking.score).sum()):
            notes.append(
                Note(
                    f"rival {rival.name} has no score for {absent} unlabelled clues",
                    f"外部评分 {rival.name} 缺少 {absent} 条无标签线索的分数",
                )
            )
    if faults:
        raise Refused.gather(faults)
    return Compared(rankings, tuple(notes))


def rival_ranking(
    rival: Rival, folder: Path, clues: pa.Table, label: Floats, split: int
) -> Ranking:
    """One rival's scores of the test rows, higher first; it is believed no probability.

    Raises NotFound where there is no file; Refused where it cannot be read, names its rows in no
    known way, scores one row twice, or has no finite score for a labelled row.
    """
    path = folder / _file_name(rival, split)
    where = f"rivals.{rival.name}"
    if not path.is_file():
        raise _absent(rival, path.name)
    table = _read(path, where)
    theirs, ours = _keys(table, where)
    score = _scores(table, rival.score, where)
    if "model" in table.column_names and rival.score not in table.column_names:
        chosen = pc.equal(table["model"], rival.score)
        table, score = table.filter(chosen), score.filter(chosen)
    told = pa.table([_text(table, name, where) for name in theirs], names=list(ours))
    told = told.append_column("score", score)
    _refuse_duplicates(told, ours, where)
    asked = pa.table([_text(clues, name, where) for name in ours], names=list(ours))
    asked = asked.append_column("place", pa.array(np.arange(clues.num_rows)))
    joined = asked.join(told, keys=list(ours), join_type="left outer").sort_by("place")
    found = np.asarray(joined["score"].to_numpy(), np.float64)
    found = np.where(np.isfinite(found), found, np.nan)
    _refuse_missing(found, clues, label, where)
    return Ranking(found)


def _file_name(rival: Rival, split: int) -> str:
    return rival.file.replace("{split}", str(split))


def _absent(rival: Rival, name: str) -> NotFound:
    return NotFound(
        wanted="a file of scores in the home's folder rivals",
        got=f"no file {name}",
        cure="copy it there, or write `optional: true` at the rival",
        where=f"rivals.{rival.name}",
    )


def _read(path: Path, where: str) -> pa.Table:
    """Names are text, whatever they look like: 00123 is not 123."""
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path)
        types = {**dict.fromkeys(NAMES, pa.string()), **dict.fromkeys(MOMENTS, MOMENT)}
        return pa_csv.read_csv(path, convert_options=pa_csv.ConvertOptions(column_types=types))
    except (pa.ArrowInvalid, OSError):
        raise Refused(
            wanted="a Parquet file, or a CSV file with a head line and moments in ISO 8601",
            got=f"{path.name}, which cannot be read as one",
            cure="write the file again",
            where=where,
        ) from None


def _keys(table: pa.Table, where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    for theirs, ours in KEYS:
        if set(theirs) <= set(table.column_names):
            return theirs, ours
    raise Refused(
        wanted="a column clue_id, or subject_id and raised_at",
        got=f"columns {', '.join(table.column_names)}",
        cure="name the clue of each score",
        where=where,
    )


def _scores(table: pa.Table, name: str, where: str) -> pa.ChunkedArray:
    """The column of that name, or in a long file the column `score`."""
    known = table.column_names
    if name not in known:
        models = set(table["model"].unique().to_pylist()) if "model" in known else set[str]()
        if name not in models or "score" not in known:
            raise Refused(
                wanted="a column of scores" + (", or a model of the file" if models else ""),
                got=repr(name),
                cure=nearest(name, models or {each for each in known if each not in NAMES}),
                where=where,
            )
        name = "score"
    try:
        return table[name].cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise Refused(
            wanted="scores that are numbers",
            got=f"a column {name} of {table[name].type}",
            cure="write numbers, higher for what comes first",
            where=where,
        ) from None


def _text(table: pa.Table, name: str, where: str) -> pa.ChunkedArray:
    """Names and moments as text, so that 12, 12.0 and "12" are one name."""
    column = table[name]
    try:
        if name in MOMENTS:
            column = column.cast(MOMENT)
        elif pa.types.is_floating(column.type):
            column = column.cast(pa.int64())
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise Refused(
            wanted="moments in ISO 8601" if name in MOMENTS else "names that are text or whole",
            got=f"a column {name} of {column.type} with other values",
            cure=f"write {name} as the clues have it",
            where=where,
        ) from None


def _refuse_duplicates(told: pa.Table, keys: tuple[str, ...], where: str) -> None:
    twice = told.group_by(list(keys)).aggregate([([], "count_all")])
    twice = twice.filter(pc.greater(twice["count_all"], 1))
    if twice.num_rows:
        names = [
            " ".join(map(str, row[:-1])) for row in _first_rows(twice.select([*keys, "count_all"]))
        ]
        raise Refused(
            wanted="one score per clue",
            got=f"{twice.num_rows} clues scored twice, such as {', '.join(names)}",
            cure="leave one score of each in the file",
            where=where,
        )


def _refuse_missing(found: Floats, clues: pa.Table, label: Floats, where: str) -> None:
    """Who is judged must be scored; of the other clues nobody knows what became."""
    lacking = np.isnan(found) & ~np.isnan(label)
    if lacking.any():
        names = clues["clue_id"].take(np.flatnonzero(lacking)[:TOLD]).to_pylist()
        raise Refused(
            wanted=f"a finite score for each of {(~np.isnan(label)).sum()} labelled test clues",
            got=f"none for {int(lacking.sum())} of them, such as {', '.join(map(str, names))}",
            cure="score these clues too: leaving out the hard ones would flatter the rival",
            where=where,
        )


def _first_rows(table: pa.Table) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in table.slice(0, TOLD).to_pylist()]
