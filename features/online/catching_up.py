"""The writer: takes in what arrived in the record sets since the last time, and nothing twice.

catch_up -> arrivals (new rows, new retractions of each record set)
         -> per grouping: retractions -> tiles anew; new rows -> a segment; small segments merged
         -> the manifest, replaced in one step
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from base.errors import Refused
from base.progress import Bar, SilentBar
from features.definition import FeatureSet
from features.online.arrays import onto_disk
from features.online.growing import Arriving, Written, merge_segments, write_segment
from features.online.manifest import (
    GroupingNote,
    Manifest,
    SegmentNote,
    SourceNote,
    clear_unnamed,
    publish,
)
from features.online.plan import Kept, kept_groupings
from features.online.segment import Segment
from features.online.tiles import write_tiles
from features.sweep import GREATEST_SUM, finite
from governance.checks import quoted

# A segment is merged into the one before it unless that one is this much larger: few segments to
# look into, and a large one is seldom written again.
GROWTH = 4


@dataclass(frozen=True)
class Arrivals:
    """What came into one record set: a SELECT over new rows, and retractions of older ones.

    `retracted` has record_no and until (microseconds). `anew` tells that what was taken in before
    no longer stands (rows were removed), so that everything comes again.
    """

    source: str
    note: SourceNote
    rows: str | None
    retracted: pa.Table
    anew: bool = False


def catch_up(
    folder: Path,
    definitions: FeatureSet,
    connection: duckdb.DuckDBPyConnection,
    arrivals: Iterable[Arrivals],
    manifest: Manifest,
    progress: Bar | None = None,
) -> Manifest:
    """Take in `arrivals`, which continue `manifest`; returns the new one, published.

    To be called by the only writer. Raises Refused where numbers cannot be added up.
    """
    clear_unnamed(folder, manifest)
    came = {each.source: each for each in arrivals}
    if not came:
        return manifest
    generation = manifest.generation + 1
    notes = dict(manifest.groupings)
    wanted = [kept for kept in kept_groupings(definitions).values() if kept.grouping.source in came]
    bar = progress or SilentBar()
    bar.expect(len(wanted))
    for kept in wanted:
        grower = _Grower(folder, kept, connection, generation)
        each = came[kept.grouping.source]
        before = GroupingNote() if each.anew else notes.get(kept.name, GroupingNote())
        notes[kept.name] = grower.grown(before, each)
        bar.advance()
    sources = {**manifest.sources, **{name: each.note for name, each in came.items()}}
    grown = Manifest(generation=generation, sources=sources, groupings=notes)
    publish(folder, grown)
    return grown


@dataclass(frozen=True)
class _Grower:
    """One grouping, one generation on."""

    folder: Path
    kept: Kept
    connection: duckdb.DuckDBPyConnection
    generation: int

    def grown(self, note: GroupingNote, arrivals: Arrivals) -> GroupingNote:
        segments = [self._retracted(each, arrivals.retracted) for each in note.segments]
        codebooks = dict(note.codebooks)
        if arrivals.rows is not None:
            books = {
                name: self._codebook(name, codebooks, arrivals.rows) for name in self.kept.codes
            }
            arriving = Arriving(self.connection, arrivals.rows, books)
            name = f"{self.kept.name}-{self.generation}"
            written = write_segment(self.folder, name, self.kept, arriving)
            if written is not None:
                segments = self._merged([*segments, _noted(written)])
        self._require_addable(segments)
        return GroupingNote(segments=tuple(segments), codebooks=codebooks)

    def _retracted(self, note: SegmentNote, retracted: pa.Table) -> SegmentNote:
        """Tiles anew where records of this segment are retracted."""
        if retracted.num_rows == 0:
            return note
        segment = Segment.open(self.folder, note.name, note.tiles)
        numbers = segment.base["record_no"]
        rows = np.flatnonzero(np.isin(numbers, retracted["record_no"].to_numpy()))
        if len(rows) == 0:
            return note
        at = pc.index_in(pa.array(numbers[rows]), retracted["record_no"].combine_chunks())
        until = retracted["until"].take(at).to_numpy()
        known = dict(zip(*(part.tolist() for part in segment.retracted()), strict=True))
        known |= dict(zip(rows.tolist(), until.tolist(), strict=True))
        tiles = f"{note.name}-{self.generation}"
        places = np.array(sorted(known), np.int64)
        untils = np.array([known[row] for row in places.tolist()], np.int64)
        write_tiles(self.folder / f"{tiles}.tiles", self.kept, segment.base, places, untils)
        return note.model_copy(update={"tiles": tiles})

    def _merged(self, notes: Sequence[SegmentNote]) -> list[SegmentNote]:
        done = list(notes)
        while len(done) > 1 and done[-2].rows < GROWTH * done[-1].rows:
            older, newer = (Segment.open(self.folder, n.name, n.tiles) for n in done[-2:])
            name = f"{self.kept.name}-{self.generation}-{len(done) - 1}"
            done[-2:] = [_noted(merge_segments(self.folder, name, self.kept, older, newer))]
        return done

    def _codebook(self, column: str, files: dict[str, str], rows: str) -> pa.Array:
        """The column's words, those that are new at the end; `files` is told of a new file."""
        name, condition = quoted(column), self.kept.grouping.where or "true"
        words = self.connection.sql(
            f"SELECT DISTINCT {name} AS w FROM ({rows}) WHERE {name} IS NOT NULL AND ({condition})"
            " ORDER BY w"
        ).to_arrow_table()["w"]
        book = read_codebook(self.folder / files[column]) if column in files else None
        fresh = finite(words.combine_chunks(), column)
        if pa.types.is_floating(fresh.type):
            fresh = pc.unique(pc.add(fresh, 0.0))  # -0.0 and 0.0 are one value
        if book is not None:
            fresh = fresh.cast(book.type)
            fresh = fresh.filter(pc.invert(pc.is_in(fresh, book)))
            if len(fresh) == 0:
                return book
            fresh = pa.concat_arrays([book, fresh])
        files[column] = f"{self.kept.name}-{column}-{self.generation}.words"
        _write_codebook(self.folder / files[column], fresh)
        return fresh

    def _require_addable(self, notes: Sequence[SegmentNote]) -> None:
        for column in self.kept.summed:
            size = sum(note.sizes[column] for note in notes)
            if size >= GREATEST_SUM:
                cure = "look for a wrong unit in the source, and bound the column in its contract"
                raise Refused(
                    wanted=f"sums of {column} below 2^62", got=f"up to {size:.3g}", cure=cure
                )


def _noted(written: Written) -> SegmentNote:
    return SegmentNote(
        name=written.name, tiles=written.name, rows=written.rows, sizes=written.sizes
    )


def read_codebook(path: Path) -> pa.Array:
    """The words of a column, in the order of their codes."""
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()["word"].combine_chunks()


def _write_codebook(path: Path, words: pa.Array) -> None:
    draft = path.with_name(f"{path.name}.draft")
    table = pa.table({"word": words})
    with pa.OSFile(str(draft), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    onto_disk(draft)
    draft.rename(path)
