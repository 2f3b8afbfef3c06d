"""Who is asking: a role, and the offices it covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from base.errors import NotAllowed

Role = Literal[
    "case_system",
    "reviewer",
    "dispatcher",
    "data_scientist",
    "steward",
    "administrator",
    "auditor",
]


@dataclass(frozen=True)
class Principal:
    """`offices` None: every office. `holder`: the person or machine the key was given to."""

    key_id: str
    role: Role
    offices: frozenset[str] | None
    holder: str | None = None

    @property
    def person(self) -> str:
        """Who stands for what is done: the holder, else the key itself."""
        return self.holder or f"key {self.key_id}"

    def require(self, *roles: Role) -> None:
        """Raises NotAllowed for any other role."""
        if self.role not in roles:
            raise NotAllowed(
                wanted=f"the role {' or '.join(roles)}",
                got=self.role,
                cure="ask an administrator for a key with that role",
            )

    def require_every_office(self) -> None:
        """Raises NotAllowed for a principal that is kept to some offices."""
        if self.offices is not None:
            raise NotAllowed(
                wanted="a key that covers every office",
                got="one that is kept to an office",
                cure="ask an administrator for a key without an office",
            )

    def sees(self, office_id: str | None) -> bool:
        return self.offices is None or office_id in self.offices
