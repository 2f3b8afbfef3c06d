"""The home folder: everything the embedded default writes, in one place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from base.errors import NotReady
from base.settings import Settings
from governance.jurisdiction import Jurisdiction, load_jurisdiction


@dataclass(frozen=True)
class Home:
    """Paths below CLUES_HOME, and the jurisdiction it was made for."""

    path: Path

    @classmethod
    def create(cls, path: Path, jurisdiction: Jurisdiction) -> Home:
        """Make the folder and note its jurisdiction; a home of the same one is left as it is."""
        path.mkdir(parents=True, exist_ok=True)
        note = path / "home.json"
        if note.is_file():
            home = cls.open(path)
            if home.jurisdiction.folder != jurisdiction.folder:
                raise NotReady(
                    wanted=f"an empty home for {jurisdiction.name}",
                    got=f"a home of {home.jurisdiction.name}",
                    cure="give another --home, or remove this one",
                )
            return home
        note.write_text(json.dumps({"jurisdiction": str(jurisdiction.folder)}) + "\n", "utf-8")
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> Home:
        """A home made earlier by `create`."""
        if not (path / "home.json").is_file():
            raise NotReady(
                wanted=f"a home in {path}",
                got="none",
                cure=f"run: clues init JURISDICTION --home {path}",
            )
        return cls(path)

    @cached_property
    def jurisdiction(self) -> Jurisdiction:
        """Loaded from its folder, so that an added supervision model is seen at once."""
        note = json.loads((self.path / "home.json").read_text("utf-8"))
        return load_jurisdiction(note["jurisdiction"])

    @property
    def data_until(self) -> datetime | None:
        """Where the data of this home ends for good, as in a demo; None: more is expected.

        Silence and age are then told as of that day: a simulation does not grow stale.
        """
        note = json.loads((self.path / "home.json").read_text("utf-8"))
        ended = note.get("data_until")
        return None if ended is None else datetime.fromisoformat(ended)

    def note_data_until(self, moment: datetime) -> None:
        """Note that nothing is expected after this moment."""
        path = self.path / "home.json"
        note = json.loads(path.read_text("utf-8"))
        draft = path.with_name("home.json.new")
        told = {**note, "data_until": moment.isoformat()}
        draft.write_text(json.dumps(told) + "\n", "utf-8")
        draft.replace(path)

    def table(self, record_set: str) -> Path:
        """The Delta table of a record set (also `clues`)."""
        return self.path / "records" / record_set

    def quarantine(self, record_set: str) -> Path:
        """The Delta table of what a record set could not use."""
        return self.path / "quarantine" / record_set

    @property
    def ledger_url(self) -> str:
        return Settings().ledger_url or f"sqlite:///{self.path.resolve() / 'ledger.db'}"

    @property
    def tracking_uri(self) -> str:
        return Settings().tracking_uri or f"sqlite:///{self.path.resolve() / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        return self.path / "artifacts"

    @property
    def scorers(self) -> Path:
        return self.path / "scorers"

    @property
    def training_sets(self) -> Path:
        return self.path / "training_sets"

    @property
    def reports(self) -> Path:
        return self.path / "reports"

    @property
    def proposals(self) -> Path:
        """What the promotion rule said of a scorer, one file each."""
        return self.path / "proposals"

    @property
    def online(self) -> Path:
        """Histories by key for single clues; safe to delete, and made again when asked for."""
        return self.path / "online"

    @property
    def receipts(self) -> Path:
        """What became of each batch, a folder per record set."""
        return self.path / "receipts"

    @property
    def audit(self) -> Path:
        """The key that signs checkpoints of the audit, and checkpoints kept in the home."""
        return self.path / "audit"

    @property
    def scratch(self) -> Path:
        """Where engines may spill; safe to delete when nothing runs."""
        return self.path / "scratch"
