"""Other systems that are told of clues, and those that tell of outcomes: `exchange.yaml`, and
nowhere else can an address come from.

Without the file, or with no destination in it, nothing is queued and nothing is sent; without a
source nothing signed is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from base.declared import load_declared
from base.errors import NotFound, Refused, nearest
from base.settings import Settings
from governance.home import Home

FILE = "exchange.yaml"
NAME = r"^[a-z][a-z0-9_]{0,63}$"
OWN_MACHINE = ("127.0.0.1", "::1")
Kind = Literal[
    "clue.triaged",
    "clue.dispatched",
    "clue.accepted",
    "clue.verifying",
    "clue.supplement",
    "clue.returned",
    "clue.merged",
    "clue.split",
    "clue.case_filed",
    "clue.unfounded",
    "clue.transferred",
    "clue.withdrawn",
    "clue.case_withdrawn",
    "clue.supervised",
    "clue.supervision_ended",
    "clue.escalated",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
RESTATED = "clue.restated"


class Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Destination(Declared):
    """One system. `seconds`: the whole time of an attempt. `parallel`: clues told at once."""

    name: Annotated[str, Field(pattern=NAME)]
    url: Annotated[str, Field(description="https, or http on 127.0.0.1; redirects are faults.")]
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = KINDS[1:]
    key_file: Annotated[
        Path | None, Field(description="Default: NAME.key in the home's folder `exchange`.")
    ] = None
    ca_file: Annotated[
        Path | None, Field(description="Authorities that may vouch for it; default: the usual.")
    ] = None
    seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    parallel: Annotated[int, Field(ge=1, le=64)] = 4
    first_retry_seconds: Annotated[float, Field(gt=0, le=3600)] = 5.0
    longest_retry_seconds: Annotated[float, Field(gt=0, le=86_400)] = 3600.0
    give_up_hours: Annotated[
        float, Field(ge=0, le=8760, description="From the first attempt; then it is dead.")
    ] = 72.0

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        if wanted := _unsafe(url):
            raise ValueError(wanted)
        return url


class Source(Declared):
    """A system that signs what it tells: POST /v1/events/NAME."""

    name: Annotated[str, Field(pattern=NAME)]
    office_id: Annotated[
        str | None, Field(description="It tells of clues of this office and below; none: all.")
    ] = None
    key_file: Annotated[
        Path | None, Field(description="Default: NAME.key in the home's folder `exchange`.")
    ] = None


class Exchange(Declared):
    """The shape of `exchange.yaml`."""

    destinations: tuple[Destination, ...] = ()
    sources: tuple[Source, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Exchange:
        names = [each.name for each in self._parties]
        if len(set(names)) != len(names):
            raise ValueError("each name once")
        return self

    @property
    def _parties(self) -> list[Destination | Source]:
        return [*self.destinations, *self.sources]

    def party(self, name: str) -> Destination | Source:
        """A destination or a source. Raises NotFound for a name that is not declared."""
        declared = {each.name: each for each in self._parties}
        if name in declared:
            return declared[name]
        cure = nearest(name, declared)
        raise NotFound(wanted=f"a destination or source of {FILE}", got="another", cure=cure)


def require_safe_address(url: str) -> None:
    """Raises Refused for an address that nothing may be sent to or fetched from."""
    if wanted := _unsafe(url):
        raise Refused(wanted=wanted, got="another", cure="mend the address")


def _unsafe(url: str) -> str | None:
    """What would have been right, or None."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return "an address of plain ASCII"
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "an address without a name, a password or a fragment"
    if not parts.hostname or parts.scheme not in ("https", "http"):
        return "an address that begins with https://"
    if parts.scheme == "http" and parts.hostname not in OWN_MACHINE:
        return "https, or http on 127.0.0.1"
    return None


def load_exchange(home: Home) -> Exchange:
    """CLUES_EXCHANGE, else `exchange.yaml` of the jurisdiction, which need not be there.

    Raises Refused for a file that cannot be used, NotFound where CLUES_EXCHANGE names none.
    """
    named = Settings().exchange
    if named is not None:
        return load_declared(named, Exchange)
    return declared_exchange(home.jurisdiction.folder)


def declared_exchange(jurisdiction: Path) -> Exchange:
    """What a jurisdiction's folder declares; no destination where it has no such file."""
    path = jurisdiction / FILE
    return load_declared(path, Exchange) if path.is_file() else Exchange()


def key_path(home: Home, party: Destination | Source) -> Path:
    """Where the keys lie that sign what is sent there, or what comes from there."""
    return party.key_file or home.path / "exchange" / f"{party.name}.key"
