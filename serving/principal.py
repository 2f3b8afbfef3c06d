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
    """`offices` None: every office."""

    key_id: str
    role: Role
    offices: frozenset[str] | None

    def require(self, *roles: Role) -> None:
        """Raises NotAllowed for any other role."""
        if self.role not in roles:
            raise NotAllowed(
                wanted=f"the role {' or '.join(roles)}",
                got=self.role,
                cure="ask an administrator for a key with that role",
            )

    def sees(self, office_id: str | None) -> bool:
        return self.offices is None or office_id in self.offices
