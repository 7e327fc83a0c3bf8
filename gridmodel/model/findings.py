"""Findings: what is worth saying about a file or a network, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation: how grave, about what, which field, and what is the matter."""

    severity: Severity
    code: str
    element: str
    field: str
    detail: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.element}: {self.field}: {self.detail}"
