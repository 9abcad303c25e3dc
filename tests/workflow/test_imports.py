from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_project import CELLS, LIGHT, make

import liscope
from liscope.workflow.imports import imports_of, used_files
from liscope.workflow.keys import components
from liscope.workflow.project import Project

LIBRARY = Path(liscope.__file__).parent
MODULES = sorted(LIBRARY.rglob("*.py"))
FILES = {
    "__init__.py": '"""The library."""\n__version__ = "1"\n',
    "alone.py": "",
    "deep.py": "",
    "shared.py": "def f():\n    # why\n    from liscope.deep import (\n        a,  # (1)\n    )\n",
    "face/__init__.py": '"""Names."""\nfrom liscope.face.one import draw as sketch, one\n'
    'from liscope.face.two import two\n__all__ = ["sketch", "one", "two"]\n',
    "face/one.py": "import liscope.shared\n",
    "face/two.py": "",
    "face/three.py": "",
    "face/colours/map.json": "{}",
    "face/note.txt": "not data",
    "thick/__init__.py": "from liscope.thick.part import part\nTABLE = {}\n",
    "thick/part.py": "from liscope import face\n",
    "thick/crystal.cif": "",
    "also.py": "import os, liscope.alone\n",
}
FACE = {"__init__.py", "face/__init__.py", "face/colours/map.json"}
ONE = {"face/one.py", "shared.py", "deep.py"}
WHOLE = {name for name in FILES if not name.endswith(".txt")}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / "liscope" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "liscope" / name).write_text(text)
    return tmp_path / "liscope"


def used(package: Path, code: str, *others: str) -> set[str]:
    return {path.relative_to(package).as_posix() for path in used_files(package, code, others)}


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("import os", set()),
        ("from liscope.alone import x", {"__init__.py", "alone.py"}),
        ("from liscope import alone as a\na.x()", {"__init__.py", "alone.py"}),
        ("from liscope.shared import f", {"__init__.py", "shared.py", "deep.py"}),
        ("def g():\n    from liscope.shared import f", {"__init__.py", "shared.py", "deep.py"}),
        ("from liscope.face import two", FACE | {"face/two.py"}),
        ("from liscope import face\nface.two()", FACE | {"face/two.py"}),
        ("from liscope import face as f\nf.sketch()", FACE | ONE),
        ("from liscope import face\nface.three.x()", FACE | {"face/three.py"}),
        ("from liscope.face.three import x", FACE | {"face/three.py"}),
        ("from liscope.face.two import x", FACE | {"face/two.py"}),
        ("from liscope import face", FACE | ONE | {"face/two.py"}),
        ("from liscope import face\ng = face\ng.two()", FACE | ONE | {"face/two.py"}),
        ("from liscope import face\ngetattr(face, 'two')()", FACE | ONE | {"face/two.py"}),
        ("from liscope import face\nface.__dict__", FACE | ONE | {"face/two.py"}),
        ("from liscope.face import *", FACE | ONE | {"face/two.py"}),
        ("import liscope.face as f\nf.two()", FACE | {"face/two.py"}),
        (
            "from liscope.thick import TABLE",
            FACE | ONE | {"face/two.py", "thick/__init__.py", "thick/part.py", "thick/crystal.cif"},
        ),
    ],
)
def test_what_a_notebook_uses(package: Path, code: str, files: set[str]) -> None:
    assert used(package, code) == files


@pytest.mark.parametrize(
    "code",
    [
        "%matplotlib inline",
        "from liscope import alone\n!ls",
        "import liscope\nliscope.face.two()",
        "import liscope.alone\nliscope.face.one",
        "from importlib import import_module\nimport_module('liscope.' + name)",
        "__import__(name)",
        "exec(code)",
        "get_ipython().run_line_magic('run', name)",
        "try:\n    from liscope.face import two as x\nexcept E:\n    from liscope.alone import x",
        "a = '\ud800'",
        "x = " + "(" * 3000,
    ],
)
def test_what_cannot_be_told_counts_as_everything(package: Path, code: str) -> None:
    assert used(package, code) == WHOLE


def test_other_modules_count_and_names_that_are_not_there_do_not(package: Path) -> None:
    assert used(package, "", "liscope.also") == {"__init__.py", "also.py", "alone.py"}
    assert used(package, "", "toy_model") == set()
    assert used(package, "from liscope.alone.x.y import z") == {"__init__.py", "alone.py"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import would be missed"
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_the_library_keeps_to_what_can_be_told(path: Path) -> None:
    """Imports are found as the parser finds them."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    found = {name for name in imported(tree) if name.split(".")[0] == "liscope"}
    assert imports_of(text) == found
    attributes = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "liscope"
    }
    assert attributes <= {"__file__", "__version__"}


def test_nothing_but_names_is_made_where_a_module_need_not_count() -> None:
    """A package is looked through: what its other modules did on import would not be noticed."""
    modules = [path for path in MODULES if path.name not in ("__init__.py", "__main__.py")]
    acting = {path for path in modules if any(map(_acts, ast.parse(path.read_text()).body))}
    look = LIBRARY / "figures/style.py"
    assert acting == {look, LIBRARY / "workflow/cli.py"}
    for workflow in Project(LIBRARY.parents[1]).workflows():
        assert look in used_files(LIBRARY, "\n".join(workflow.sources()), []), workflow.name


def _acts(node: ast.stmt) -> bool:
    """Tell whether a statement does something when its module is imported."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        return not all(isinstance(target, ast.Name | ast.Tuple) for target in node.targets)
    names = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.AnnAssign, ast.If)
    return not isinstance(node, names)


def key(project: Project) -> str:
    workflow = project.workflow("toy")
    return components(project, workflow, workflow.model.check({})).key


def test_the_key_follows_what_is_imported_and_nothing_else(root: Path) -> None:
    lazy = "def total():\n    from liscope.units import to_units\n    return to_units\n"
    project = Project(make(root, **(LIGHT | {"work": lazy + "total = 1"})))
    copy = Path(liscope.__file__).parent
    before = key(project)
    for name in ("units.py", "workflow/kernel.py", "workflow/templates/page.css", "__init__.py"):
        text = (copy / name).read_text()
        (copy / name).write_text(text + "\n\n")
        assert key(project) != before, name
        (copy / name).write_text(text)
        assert key(project) == before
    shutil.rmtree(copy / "spectroscopy")
    for name in ("workflow/cli.py", "workflow/commands/clean.py", "parameters/iv_hysteresis.py"):
        (copy / name).write_text("changed = True\n")
    (copy / "another.py").write_text("")
    assert key(project) == before


def test_without_a_lazy_import_that_module_does_not_count(root: Path) -> None:
    project = Project(make(root, **LIGHT))
    copy = Path(liscope.__file__).parent
    assert CELLS["check"].startswith("from toy_model")
    before = key(project)
    (copy / "statistics.py").write_text("changed = True\n")
    assert key(project) == before
    make(root, **(LIGHT | {"work": "if False:\n    from liscope import statistics\ntotal = 1"}))
    changed = key(project)
    (copy / "statistics.py").write_text("changed = False\n")
    assert key(project) != changed
