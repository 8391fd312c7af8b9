"""Laws of every migration since there are fleets: it leaves the release before at work."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedsvc.storage.database import MIGRATIONS

FIRST = "0009"
"""Before it, sites were one process, which was stopped for an upgrade."""
CONTRACTS = "contracts"
"""What a migration says that takes away what an older release, long gone, once needed."""
TAKES_AWAY = frozenset({"drop_column", "drop_table", "drop_constraint", "rename_table"})
CHANGES = frozenset({"type_", "new_column_name", "nullable"})
WAITED_FOR = frozenset(
    {"create_unique_constraint", "create_check_constraint", "create_foreign_key"}
)


def since(first: str) -> list[Path]:
    files = sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))
    return [file for file in files if file.name[:4] >= first]


def offences(source: str) -> list[str]:
    """Return what of a migration would stop or hold up those who work meanwhile."""
    tree = ast.parse(source)
    names = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)}
    if CONTRACTS in names:
        return []
    made = {str(_first(call)) for call in _calls(tree) if _name(call) == "op.create_table"}
    found = [said for call in _calls(tree) for said in _offences(call, made)]
    large = [call for call in _calls(tree) if _name(call) in {"create_index", "drop_index"}]
    if large and any(_name(call).startswith("op.") for call in _calls(tree)):
        found.append("an index made concurrently ends the transaction: a migration of its own")
    return found


def _offences(call: ast.Call, made: set[str]) -> Iterator[str]:
    name = _name(call)
    if not name.startswith("op."):
        return
    does = name.removeprefix("op.")
    given = {one.arg for one in call.keywords}
    if does in TAKES_AWAY or (does == "drop_index"):
        yield f"{name}: the release before still uses it; a release later, with `contracts`"
    elif does == "alter_column" and given & CHANGES:
        yield f"{name}: a new column instead, filled by both releases"
    elif does in WAITED_FOR:
        yield f"{name}: reads the whole table under a lock; NOT VALID first, then VALIDATE"
    elif does == "create_index" and _second(call) not in made:
        yield f"{name}: nobody can write meanwhile; feedsvc.storage.concurrently.create_index"
    elif does == "execute" and "UPDATE" in ast.unparse(call).upper():
        yield f"{name}: locks every row it changes; fill the column by a job, piece by piece"
    elif does == "add_column":
        column = ast.unparse(call)
        if "nullable=False" in column and "server_default" not in column:
            yield f"{name}: the release before does not fill it; nullable, or a constant default"
        if "func." in column or "text(" in column:
            yield f"{name}: a default that is computed writes the whole table again"


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [one for one in ast.walk(tree) if isinstance(one, ast.Call)]


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def _first(call: ast.Call) -> object:
    return call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None


def _second(call: ast.Call) -> object:
    second = call.args[1] if len(call.args) > 1 else None
    return second.value if isinstance(second, ast.Constant) else None


@pytest.mark.parametrize("file", [pytest.param(one, id=one.stem) for one in since(FIRST)])
def test_a_migration_expands_and_keeps_nobody_waiting(file: Path) -> None:
    assert offences(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('op.drop_column("articles", "seed")', id="drops"),
        pytest.param('op.drop_index("ix_articles_filed")', id="drops-an-index"),
        pytest.param('op.rename_table("seeds", "sources")', id="renames"),
        pytest.param('op.alter_column("seeds", "size", type_=sa.Text())', id="another-type"),
        pytest.param('op.alter_column("seeds", "line", nullable=False)', id="not-null"),
        pytest.param(
            'op.add_column("seeds", sa.Column("x", sa.Text(), nullable=False))', id="no-default"
        ),
        pytest.param(
            'op.add_column("seeds", sa.Column("x", sa.Text(), server_default=sa.func.now()))',
            id="computed-default",
        ),
        pytest.param('op.create_index("ix_x", "articles", ["seed"])', id="locks-out-writers"),
        pytest.param('op.execute("UPDATE articles SET filed = 1")', id="locks-all-rows"),
        pytest.param(
            'op.create_table("x"); create_index("ix_x", "articles", ["seed"])', id="two-purposes"
        ),
    ],
)
def test_one_that_would_stop_the_release_before_is_refused(line: str) -> None:
    assert len(offences(f"def upgrade():\n    {line}\n")) == 1
    assert offences(f'contracts = "0009"\n\ndef upgrade():\n    {line}\n') == []


def test_an_index_of_a_table_that_is_new_may_be_made_at_once() -> None:
    made = 'op.create_table("x")\nop.create_index("ix_x", "x", ["a"])\n'
    assert offences(made) == []
