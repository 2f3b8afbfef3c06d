"""Files as their senders write them: csv in UTF-8 and GB18030, compressed, JSON lines, Parquet."""

from __future__ import annotations

import gzip
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.province.offices import Institutions
from experiments.province.records import Frames

# How each record set is sent: its files' ending, and GB18030 senders among them.
ENDINGS = {"persons": "parquet", "companies": "parquet", "driving_licences": "parquet"}
ENDINGS |= {"fine_payments": "parquet", "permits": "parquet"}
ENDINGS |= {"penalties": "jsonl", "court_judgments": "csv.gz"}
GB18030_SENDERS = ("sentences", "vehicle_tracks")
MOMENTS = "%Y-%m-%dT%H:%M:%S"


class Writer:
    """Writes a province to `out`, one block after the other, and its truth to `out/truth`.

    `files`: record set -> paths, outcomes last; `orders`: paths; `rows`: of all record sets.
    """

    def __init__(self, out: Path, blocks: int) -> None:
        self.out, self.truth, self.blocks = out, out / "truth", blocks
        self.truth.mkdir(parents=True, exist_ok=True)
        self.files: dict[str, list[str]] = {}
        self.orders: list[str] = []
        self.rows = 0
        self._open: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in self._open.values():
            each.close()
        # Outcomes are about clues, which are about records: they come last.
        self.files["outcomes"] = self.files.pop("outcomes", [])

    def offices(self, institutions: Institutions) -> None:
        """What is hidden about offices and bodies."""
        institutions.offices.to_parquet(self.truth / "offices.parquet")
        pd.concat(
            pd.DataFrame(
                {"body_id": institutions.bodies[kind], "effect": institutions.effect[kind]}
            )
            for kind in institutions.bodies
        ).to_parquet(self.truth / "bodies.parquet")

    def block(
        self,
        block: int,
        frames: Frames,
        faults: pd.DataFrame,
        *,
        outcomes: pd.DataFrame,
        orders: pd.DataFrame,
        clues: pd.DataFrame,
    ) -> None:
        """One block: its record sets, what offices were ordered and told, and the truth."""
        for name, frame in frames.items():
            path = self._path(name, block, ENDINGS.get(name, "csv"))
            _write(path, name, frame)
            self.rows += len(frame)
            self.files.setdefault(name, []).append(str(path))
        for name, table, told in (
            ("outcomes", outcomes, self.files.setdefault("outcomes", [])),
            ("orders", orders, self.orders),
        ):
            path = self._path(name, block, "csv")
            table.to_csv(path, index=False, date_format=MOMENTS)
            told.append(str(path))
        self._append("clues", clues)
        self._append("faults", self._placed(faults, block))

    def _path(self, name: str, block: int, ending: str) -> Path:
        part = f"-{block:03d}" if self.blocks > 1 else ""
        return self.out / f"{name}{part}.{ending}"

    def _placed(self, faults: pd.DataFrame, block: int) -> pd.DataFrame:
        """Faults with their files; rows are numbered as readers count (a csv has a header)."""
        endings = faults["record_set"].map(lambda name: ENDINGS.get(name, "csv"))
        names = [
            self._path(name, block, ending).name
            for name, ending in zip(faults["record_set"], endings, strict=True)
        ]
        headed = endings.str.startswith("csv").astype(np.int64)
        return faults.assign(row=faults["place"] + 1 + headed, file=names)

    def _append(self, name: str, table: pd.DataFrame) -> None:
        whole = pa.Table.from_pandas(table, preserve_index=False)
        if name not in self._open:
            self._open[name] = pq.ParquetWriter(self.truth / f"{name}.parquet", whole.schema)
        self._open[name].write_table(whole.cast(self._open[name].schema))


def _write(path: Path, name: str, frame: pd.DataFrame) -> None:
    if path.suffix == ".parquet":
        dates = [column for column in frame.columns if frame[column].dtype.kind == "M"]
        columns = {column: pa.array(frame[column]) for column in frame.columns}
        columns |= {column: columns[column].cast(pa.date32()) for column in dates}
        pq.write_table(pa.table(columns), path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True, force_ascii=False)
    elif path.suffix == ".gz":
        text = frame.to_csv(index=False).encode()
        path.write_bytes(gzip.compress(text, compresslevel=1, mtime=0))
    else:
        encoding = "gb18030" if name in GB18030_SENDERS else "utf-8"
        frame.to_csv(path, index=False, encoding=encoding)
