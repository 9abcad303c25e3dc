"""Which files of this library a notebook can use, read off the imports without running anything.

Imports inside functions count like those at the top. A package whose ``__init__`` only imports
names (`liscope.figures`) is looked through: only the modules behind the names that are used count.
Where it cannot be told, as with an import by a computed name, the whole library counts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

_OURS = "liscope"
_DATA = (".j2", ".css", ".json", ".cif")
_COMMENT = re.compile(r"#.*")
# Parsing every module takes a second; a test holds this to what the parser finds.
_IMPORT = re.compile(
    rf"^[ \t]*(?:from[ \t]+({_OURS}[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|.*?)"
    r"|import[ \t]+(.*?))[ \t]*$",
    re.MULTILINE,
)
_UNCLEAR = {
    _OURS,
    "__import__",
    "import_module",
    "exec",
    "eval",
    "run_module",
    "run_path",
    "get_ipython",
}


def used_files(package: Path, code: str, others: Iterable[str]) -> list[Path]:
    """Return the files of the library that count for a notebook.

    Parameters
    ----------
    package
        The folder of the library.
    code
        The code of the notebook.
    others
        Modules that are used as well, by their dotted names.
    """
    modules = {_dotted(package, path): path for path in sorted(package.rglob("*.py"))}
    data = [path for path in sorted(package.rglob("*")) if path.suffix in _DATA]
    wanted = _of_notebook(code)
    if wanted is None:
        return [*modules.values(), *data]
    found = _reached(modules, {*wanted, *others})
    packages = {modules[name].parent for name in found if modules[name].name == "__init__.py"}
    known = {path.parent for path in modules.values() if path.name == "__init__.py"}
    homes = {path: next(one for one in path.parents if one in known) for path in data}
    return [modules[name] for name in sorted(found)] + [
        path for path, home in homes.items() if home in packages
    ]


@lru_cache(maxsize=4096)
def imports_of(text: str) -> frozenset[str]:
    """Return what of this library a module's text imports: ``liscope.units.to_units``."""
    found: set[str] = set()
    for module, names, plain in _IMPORT.findall(_COMMENT.sub("", text)):
        if module:
            found |= {f"{module}.{name}" for name in _names(names)}
        else:
            found |= {name for name in _names(plain) if name.split(".")[0] == _OURS}
    return frozenset(found)


def _names(text: str) -> list[str]:
    return [part.split()[0] for part in text.strip("() \n").split(",") if part.strip()]


def _dotted(package: Path, path: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join([_OURS, *parts]).removesuffix(".__init__")


def _reached(modules: dict[str, Path], wanted: set[str]) -> set[str]:
    """Return the modules that are loaded for the ``wanted`` names, and for what those import."""
    texts = {name: path.read_text(encoding="utf-8") for name, path in modules.items()}
    packages = [name for name, path in modules.items() if path.name == "__init__.py"]
    faces = {name: face for name in packages if (face := _exports(texts[name]))}
    found: set[str] = set()
    done: set[str] = set()
    while todo := wanted - done:
        name = todo.pop()
        done.add(name)
        loaded = [lead for lead in _leads(name) if lead in modules]
        for one in set(loaded) - found:
            found.add(one)
            wanted |= set() if one in faces else imports_of(texts[one])
        wanted |= _behind(faces, loaded, name)
    return found


def _leads(name: str) -> list[str]:
    """Return ``a``, ``a.b`` and ``a.b.c`` for ``a.b.c``."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _behind(faces: dict[str, dict[str, str]], loaded: list[str], name: str) -> set[str]:
    """Return what a name stands for where a package hands it on; all of it if that is unclear."""
    *_, owner, last = ["", "", *loaded]
    exported = faces.get(last, {})
    member = name.removeprefix(f"{last}.").partition(".")[0]
    found = {exported[member]} if member in exported else set(exported.values())
    beside = faces.get(owner, {}).get(last.rpartition(".")[2])  # a function named as its module
    return found | ({beside} if beside else set())


@lru_cache(maxsize=256)
def _exports(text: str) -> dict[str, str] | None:
    """Return which name stands for what in a package that only imports names; else None."""
    exports: dict[str, str] = {}
    for statement in ast.parse(text).body:
        match statement:
            case ast.ImportFrom(module=str(module), names=names, level=0):
                exports |= {item.asname or item.name: f"{module}.{item.name}" for item in names}
            case ast.Expr(value=ast.Constant()) | ast.Assign(targets=[ast.Name(id="__all__")]):
                pass
            case _:
                return None
    return None if "*" in exports else exports


def _of_notebook(code: str) -> set[str] | None:
    """Return the names of this library that a notebook uses; None where that cannot be told."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a line such as %matplotlib
        return None
    pairs = {pair for node in nodes for pair in _imported(node)}
    known = dict(pairs)
    members = {id(node.value): node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names = [node for node in nodes if isinstance(node, ast.Name)]
    words = {node.id for node in names} | set(members.values())
    if words & _UNCLEAR or len(known) < len(pairs):
        return None
    used = [node for node in names if node.id in known]
    found = {f"{known[node.id]}.{members.get(id(node), '')}".rstrip(".") for node in used}
    return found | {known[name] for name in known.keys() - {node.id for node in used}}


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Return name in the notebook and name in the library of what an import statement brings."""
    match node:
        case ast.ImportFrom(module=str(module), names=names):
            found = {item.asname or item.name: f"{module}.{item.name}" for item in names}
        case ast.Import(names=names):
            found = {item.asname or item.name: item.name for item in names}
        case _:
            return
    yield from ((name, full) for name, full in found.items() if full.split(".")[0] == _OURS)
