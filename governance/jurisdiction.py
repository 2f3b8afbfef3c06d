"""A jurisdiction: the N, as data. One folder declares everything a province owns.

This file loads what the governance centre needs (its name, its clue columns, its contracts);
supervision models, features, offices and experiments are loaded by the rooms that use them.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator

from base.bilingual import Bilingual, Language
from base.declared import load_declared
from base.errors import CluesError, Fault, NotFound, Refused, nearest
from governance.contract import ColumnType, Contract, load_contract

BUNDLED = Path(__file__).resolve().parent.parent / "jurisdictions"
# Classifications that every reader is cleared for.
OPEN = frozenset({"public", "internal"})
# What records are read for: a clue's case, a scorer, a file for others, the feed itself.
Purpose = Literal["handling", "training", "export", "quality"]
NAME = re.compile(r"[a-z][a-z0-9_]*")


class ClueColumn(BaseModel):
    """One attribute column of this jurisdiction's clues, given by its supervision models."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: ColumnType
    title: Bilingual
    classification: str | None = None


class RaiseCycle(BaseModel):
    """How often supervision models run: every `months` months, from `first` on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: datetime
    months: Annotated[int, Field(ge=1, le=120)] = 1


class AccessRule(BaseModel):
    """Roles that read classifications plainly for a purpose; `offices`: at these only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    purpose: Purpose
    roles: tuple[str, ...]
    classifications: tuple[str, ...] = ()
    offices: tuple[str, ...] = ()


class Manifest(BaseModel):
    """`jurisdiction.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=NAME.pattern)]
    title: Bilingual
    nature: Literal["simulated", "real"]
    timezone: str
    language: Language = "zh"
    raise_cycle: RaiseCycle
    clue_columns: dict[str, ClueColumn]
    # How the subject's own number is classified; like a clue column, else as in the contracts.
    subject_classification: str | None = None
    # Role -> classifications it reads unmasked, in place of what the platform gives the role.
    clearance: dict[str, tuple[str, ...]] = {}
    # The same by purpose and office, in place of `clearance` where it names role and purpose.
    access: tuple[AccessRule, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"unknown time zone {zone!r}")
        return zone


@dataclass(frozen=True)
class Jurisdiction:
    """A loaded folder. `contracts` is keyed by record set, in alphabetical order."""

    folder: Path
    manifest: Manifest
    contracts: dict[str, Contract]

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def title(self) -> Bilingual:
        return self.manifest.title

    @property
    def timezone(self) -> str:
        return self.manifest.timezone

    @property
    def clue_columns(self) -> dict[str, str]:
        return {name: column.type for name, column in self.manifest.clue_columns.items()}

    @cached_property
    def clue_classifications(self) -> dict[str, str]:
        """Column of a clue -> classification, of its own columns and the subject's number.

        What is not declared is classified as a column of the same name in the contracts: if some
        are open and some are not, as one that is not.
        """
        own = {name: each.classification for name, each in self.manifest.clue_columns.items()}
        own["subject_id"] = self.manifest.subject_classification
        return {name: declared or self._as_in_records(name) for name, declared in own.items()}

    def _as_in_records(self, name: str) -> str:
        found = sorted(
            column.classification
            for contract in self.contracts.values()
            for column in contract.columns
            if column.name == name and column.classification not in OPEN
        )
        return found[-1] if found else "internal"

    def contract(self, record_set: str) -> Contract:
        if record_set not in self.contracts:
            raise NotFound(
                wanted=f"a record set of {self.name}",
                got=repr(record_set),
                cure=nearest(record_set, self.contracts),
            )
        return self.contracts[record_set]


def find_folder(name_or_folder: str | Path) -> Path:
    """A bundled jurisdiction by name, or any folder that holds a `jurisdiction.yaml`.

    A text with a separator (`./anhui`) and a Path are paths; a bare name is the bundled one first.
    """
    asked = str(name_or_folder)
    is_path = isinstance(name_or_folder, Path) or "/" in asked or os.sep in asked
    for folder in (Path(name_or_folder),) if is_path else (BUNDLED / asked, Path(asked)):
        if (folder / "jurisdiction.yaml").is_file():
            return folder.resolve()
    bundled = sorted(path.parent.name for path in BUNDLED.glob("*/jurisdiction.yaml"))
    raise NotFound(
        wanted="a folder with a jurisdiction.yaml"
        if is_path
        else "a bundled jurisdiction or a folder with a jurisdiction.yaml",
        got=repr(asked),
        cure=f"use one of {', '.join(bundled)}, or give the folder's path",
    )


def load_jurisdiction(name_or_folder: str | Path) -> Jurisdiction:
    """Load and check a folder; every fault of every file is told together."""
    folder = find_folder(name_or_folder)
    faults: list[Fault] = []
    contracts: dict[str, Contract] = {}
    for path in sorted((folder / "records").glob("*.odcs.yaml")):
        try:
            contract = load_contract(path)
            contracts[contract.record_set] = contract
        except CluesError as error:
            faults += error.faults
    try:
        manifest = load_declared(folder / "jurisdiction.yaml", Manifest)
    except CluesError as error:
        faults += error.faults
    if faults:
        raise Refused.gather(faults)
    return Jurisdiction(folder=folder, manifest=manifest, contracts=contracts)
