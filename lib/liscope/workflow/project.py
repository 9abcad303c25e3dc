"""Where a project's notebooks, parameters and results lie."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from liscope.errors import ParameterError, RunError
from liscope.places import find_root
from liscope.workflow.parameters import Parameters, short

# What lies beside the workflows in results/.
SCRATCH, BATCHES = "scratch", "batches"


@dataclass(frozen=True)
class Workflow:
    """A notebook, the model of its parameters, and a parameter file for each sample."""

    name: str
    notebook: Path
    samples: tuple[Path, ...]

    @cached_property
    def document(self) -> dict[str, Any]:
        """The notebook, as the JSON that it is."""
        try:
            document: dict[str, Any] = json.loads(self.notebook.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.notebook.name}: cannot be read as a notebook ({error})"
            ) from None
        metadata = document.get("metadata", {}) if isinstance(document, dict) else None
        ours = metadata.get("liscope", {}) if isinstance(metadata, dict) else None
        if "cells" not in document or not isinstance(ours, dict):
            raise RunError(f"{self.notebook.name}: not a notebook")
        return document

    @cached_property
    def declared(self) -> str:
        """Where the notebook says its parameters are: "module.path:ModelClass"."""
        return str(self.document.get("metadata", {}).get("liscope", {}).get("parameters", ""))

    @cached_property
    def model(self) -> type[Parameters]:
        """The class of the workflow's parameters."""
        module, _, name = self.declared.partition(":")
        try:
            model = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise RunError(
                f"{self.notebook.name}: no parameters '{self.declared}': {error}"
            ) from None
        if not (isinstance(model, type) and issubclass(model, Parameters)):
            raise RunError(f"{self.notebook.name}: '{self.declared}' is no model of parameters")
        return model

    @property
    def title(self) -> str:
        """The first line of the model's docstring."""
        return (self.model.__doc__ or self.name).strip().splitlines()[0].rstrip(".")

    def sources(self) -> list[str]:
        """Return the code of the notebook, cell by cell."""
        cells = [cell for cell in self.document["cells"] if cell["cell_type"] == "code"]
        return ["".join(cell["source"]) for cell in cells]


@dataclass(frozen=True)
class Project:
    """A folder with ``notebooks/`` and ``params/``; runs go to ``results/``."""

    root: Path

    @classmethod
    def here(cls) -> Project:
        """Return the project around the current folder, or the one liscope was installed from.

        Raises
        ------
        RunError
            If there is neither.
        """
        if root := find_root():
            return cls(root)
        raise RunError("no project here: change to a folder that holds notebooks/ and params/")

    def workflows(self) -> list[Workflow]:
        """Return the workflows: every notebook that names its parameters."""
        found = [self._workflow(path) for path in sorted(self.root.glob("notebooks/*.ipynb"))]
        return [workflow for workflow in found if workflow.declared]

    def workflow(self, name: str) -> Workflow:
        """Return one workflow by its name.

        Raises
        ------
        ParameterError
            If there is none, with the nearest names.
        """
        known = {workflow.name: workflow for workflow in self.workflows()}
        if name not in known:
            near = get_close_matches(name, known, n=2) or sorted(known)
            raise ParameterError(
                f"{short(name, quoted=False)}: no such workflow; known: {', '.join(near)}"
            )
        return known[name]

    def results(self, workflow: str) -> Path:
        """Return the folder of a workflow's runs."""
        return self.root / "results" / workflow

    def _workflow(self, notebook: Path) -> Workflow:
        name = notebook.stem
        return Workflow(name, notebook, tuple(sorted(self.root.glob(f"params/{name}/*.yaml"))))
