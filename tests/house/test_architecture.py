"""The rules between the rooms of the house, read off the imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[2] / "lib" / "liscope"
ANALYSIS = (
    "probe", "sims", "registration", "colocalisation", "spectroscopy", "statistics", "grains",
    "volume",
)  # fmt: skip
PHYSICS = ("readers", "specimens", *ANALYSIS, "figures")


def _modules() -> Iterator[tuple[str, set[str]]]:
    """Yield each module's path below the library, and the names of ours that it imports."""
    for path in sorted(LIBRARY.rglob("*.py")):
        imported: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                imported |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
            elif isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
        yield str(path.relative_to(LIBRARY)), {name for name in imported if "liscope" in name}


MODULES = dict(_modules())


def _within(module: str, *rooms: str) -> bool:
    return module.split("/")[0].removesuffix(".py") in rooms


def _imports(module: str, *rooms: str) -> set[str]:
    return {name for name in MODULES[module] if any(name.startswith(f"liscope.{r}") for r in rooms)}


@pytest.mark.parametrize("module", MODULES)
def test_every_room_keeps_to_its_neighbours(module: str) -> None:
    if _within(module, "readers", "specimens", *ANALYSIS, "units", "history"):
        assert not _imports(module, "workflow", "figures", "parameters", "data")
    if _within(module, *ANALYSIS):
        assert not _imports(module, "readers", "specimens")
    if _within(module, "workflow"):
        assert not _imports(module, *PHYSICS)


@pytest.mark.parametrize("module", [m for m in MODULES if _within(m, *ANALYSIS)])
def test_analysis_neither_reads_nor_plots_nor_prints(module: str) -> None:
    tree = ast.parse((LIBRARY / module).read_text(encoding="utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "print"}
    assert "matplotlib" not in ast.unparse(tree)
    assert "truth" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_nothing_is_unpickled_or_evaluated() -> None:
    for path in LIBRARY.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & {"eval", "exec", "pickle", "shelve", "marshal"}, path.name
