"""How reports reach a person or a program: tables on a terminal, plain text in a pipe, JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from feedsvc.text import printable, redacted

if TYPE_CHECKING:
    from feedsvc.model import Progress


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text; ``style`` (rich's words) shows on a terminal only."""

    text: str = ""
    style: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head; an empty head shows none. Columns in ``right`` are aligned right."""

    head: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]
    right: frozenset[int] = frozenset()


Block = Line | Table


def show(value: object, blocks: Callable[[], Iterable[Block]], *, as_json: bool) -> None:
    """Write ``value`` as one JSON object, or the blocks that describe it."""
    if as_json:
        json.dump(plain(value), sys.stdout, ensure_ascii=False, indent=None)
        sys.stdout.write("\n")
    elif sys.stdout.isatty():
        _write_terminal(blocks())
    else:
        sys.stdout.writelines(f"{line.rstrip()}\n" for line in plain_lines(blocks()))


def plain(value: object) -> Any:
    """Return value as JSON knows it: dataclasses as objects, moments in ISO 8601."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    return redacted(value) if isinstance(value, str) else value


def plain_lines(blocks: Iterable[Block]) -> Iterator[str]:
    """Return the lines of a report without colours, columns aligned by spaces."""
    for block in blocks:
        if isinstance(block, Line):
            yield _cell(block.text)
        else:
            yield from _aligned(block)


def moment(value: datetime | None) -> str:
    """Return a moment for a person, in UTC."""
    return value.strftime("%Y-%m-%d %H:%M:%S UTC") if value else "—"


def counted(number: int, noun: str) -> str:
    """Return `1 article`, `2 articles`, `1,200 entries`."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """Show how far a job is, on stderr, if that is a terminal and nobody asked for quiet."""
    if quiet or not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=5,
        redirect_stdout=False,
    )
    tasks: dict[str, Any] = {}

    def tell(stage: str, done: int, total: int | None, detail: str = "") -> None:
        if stage not in tasks:
            for task in bars.tasks:  # stages follow each other: what had no known end has one now
                bars.update(task.id, total=task.total or task.completed or 1)
            tasks[stage] = bars.add_task(_cell(stage), total=total, detail="")
        bars.update(tasks[stage], completed=done, total=total, detail=_cell(detail)[:120])

    with bars:
        yield tell


def _silent(stage: str, done: int, total: int | None, detail: str = "") -> None:
    """Show no progress."""


def _cell(value: object) -> str:
    """Return one line that is safe on a terminal: titles come from strangers."""
    return printable(redacted(str(value))).replace("\n", " ").replace("\t", " ")


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def shortened(text: str, columns: int) -> str:
    """Return text as one line of so many columns at most, an ellipsis where it was cut."""
    text = _cell(text)
    # In one go, as a line may be made of very many names.
    kept, wide = 0, 0
    for character in text:
        wide += width(character)
        if wide > columns:
            return f"{text[:kept].rstrip()}…"
        kept += wide < columns
    return text


def _aligned(table: Table) -> Iterator[str]:
    rows = [tuple(_cell(value) for value in row) for row in table.rows]
    if table.head:
        rows.insert(0, table.head)
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = []
        for number, (cell, wide) in enumerate(zip(row, widths, strict=True)):
            space = " " * (wide - width(cell))
            cells.append(space + cell if number in table.right else cell + space)
        yield "  ".join(cells)


def _write_terminal(blocks: Iterable[Block]) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(highlight=False)
    for block in blocks:
        if isinstance(block, Line):
            console.print(Text(_cell(block.text), style=block.style), soft_wrap=True)
            continue
        rich = RichTable(
            box=None, show_header=bool(block.head), pad_edge=False, header_style="bold"
        )
        for number in range(len(block.head) or len(block.rows[0]) if block.rows else 0):
            head = block.head[number] if block.head else ""
            rich.add_column(
                head, justify="right" if number in block.right else "left", overflow="fold"
            )
        for row in block.rows:
            # Text, not str: a title such as "[red]" is no markup.
            rich.add_row(*(Text(_cell(value)) for value in row))
        console.print(rich)
