"""What came of a move: for each table rows = added + already there + refused; and what could not come as it was."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Table:
    """Rows of one table of the source, by what became of them."""

    rows: int = 0
    added: int = 0
    there: int = 0
    refused: int = 0

    @property
    def adds_up(self) -> bool:
        return self.rows == self.added + self.there + self.refused


@dataclass
class Report:
    generation: str
    is_dry: bool
    tables: dict[str, Table] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    """Sentences about the whole."""
    by_row: list[dict[str, str]] = field(default_factory=list)
    """`{"table", "row", "why"}`: what could not come, or came otherwise than it stood."""
    told: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Presses by device, month and treatment, as the source has them."""
    stored: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """The same presses, as they stand here afterwards."""

    in_source: dict[str, int] = field(default_factory=dict)
    """Rows of those tables that were to come as a whole, as the source counts them."""
    days: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """The source's presses by device, local day and treatment."""

    def table(self, name: str) -> Table:
        return self.tables.setdefault(name, Table())

    def note(self, table: str, row: Any, why: str) -> None:
        self.by_row.append({"table": table, "row": str(row), "why": why})

    def refuse(self, table: str, row: Any, why: str) -> None:
        self.table(table).refused += 1
        self.note(table, row, why)

    def remark(self, sentence: str) -> None:
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    def differences(self) -> list[str]:
        """What does not add up; none after a good move. A dry run has stored nothing."""
        found = [
            f"{name}: {table.rows} rows, but {table.added} added, {table.there} there, {table.refused} refused"
            for name, table in self.tables.items()
            if not table.adds_up
        ]
        found += [
            f"{name}: {rows} rows in the source, {self.table(name).rows} read"
            for name, rows in self.in_source.items()
            if self.table(name).rows < rows
        ]
        if not self.is_dry:
            found += [
                f"{' '.join(key)}: {self.told[key]} in the source, {self.stored[key]} here"
                for key in sorted({*self.told, *self.stored})
                if self.told[key] != self.stored[key]
            ]
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "generation": self.generation,
            "dry_run": self.is_dry,
            "tables": {name: vars(table) for name, table in self.tables.items()},
            "remarks": self.remarks,
            "rows": self.by_row,
            "presses": [[*key, number] for key, number in sorted(self.told.items())],
            "differences": self.differences(),
        }

    def write(self, path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
