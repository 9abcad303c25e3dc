"""Describes a supplement to programs: as a Workflow Run RO-Crate.

After the profiles Process Run Crate and Workflow Run Crate 0.5 (https://w3id.org/ro/wfrun) and
Workflow RO-Crate 1.0, over RO-Crate 1.1. Each run is a CreateAction whose instrument is the
notebook, whose objects are data and parameters, and whose results are the files it wrote.
"""

from __future__ import annotations

import json
import mimetypes
from itertools import groupby
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from liscope.workflow.record import RECORD
from liscope.workflow.share.contents import LIBRARY, Supplement
from liscope.workflow.share.crate_workflow import (
    WORKFLOW,
    add_entity,
    add_parameter_values,
    add_workflow,
    output_id,
)
from liscope.workflow.share.digests import Digests
from liscope.workflow.share.inputs import Data
from liscope.workflow.share.selection import SharedRun

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

METADATA = "ro-crate-metadata.json"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
# The context of RO-Crate 1.1 does not have it.
_TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
_KINDS = {
    ".ipynb": "application/x-ipynb+json",
    ".nc": "application/x-netcdf",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".lock": "text/plain",
    ".cff": "application/yaml",
    ".toml": "application/toml",
    ".md": "text/markdown",
}


def describe(supplement: Supplement, digests: Digests) -> bytes:
    """Return the content of ``ro-crate-metadata.json``; ``digests`` are those of all files."""
    from rocrate.rocrate import ROCrate  # here: slow to import

    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(_TERMS)
    crate.metadata["conformsTo"] = [
        {"@id": "https://w3id.org/ro/crate/1.1"},
        {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
    ]
    _add_files(crate, supplement, digests)
    agents = _add_origin(crate, supplement)
    for _, runs in groupby(supplement.runs, key=lambda run: run.workflow.name):
        add_workflow(crate, list(runs))
    for run in supplement.runs:
        _add_run(crate, run, supplement.data, agents)
    first = supplement.runs[0].workflow
    crate.root_dataset["mainEntity"] = {"@id": f"notebooks/{quote(first.notebook.name)}"}
    text = json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def _add_files(crate: ROCrate, supplement: Supplement, digests: Digests) -> None:
    for name in sorted(digests):
        if name.startswith(f"{LIBRARY}/"):
            continue  # described as one
        crate.add_file(dest_path=name, properties=_file(name, digests))
    version = supplement.runs[0].record["code"]["liscope"]
    crate.add_dataset(
        dest_path=f"{LIBRARY}/",
        properties={
            "@type": ["Dataset", "SoftwareSourceCode"],
            "name": f"liscope {version}, the library that the notebooks use",
            "version": version,
            "license": {"@id": "https://spdx.org/licenses/GPL-3.0-or-later"},
        },
    )
    for one in supplement.data.values():
        if one.address and not one.files:
            crate.add_file(one.address, properties={**_public(one), "contentSize": str(one.size)})
        elif one.is_folder:
            crate.add_dataset(dest_path=f"{one.name}/", properties=_public(one))
        elif one.files:
            (name,) = one.files
            for key, value in _public(one).items():
                _get(crate, name)[key] = value


def _file(name: str, digests: Digests) -> dict[str, Any]:
    path = PurePosixPath(name)
    sha256, size = digests[name]
    kind = _KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    workflow = {"@type": WORKFLOW} if path.parent.name == "notebooks" else {}
    return {
        **workflow,
        "name": path.name,
        "contentSize": str(size),
        "sha256": sha256,
        "encodingFormat": kind or "application/octet-stream",
    }


def _public(data: Data) -> dict[str, Any]:
    known = {"alternateName": data.name, "description": data.what, "sha256": data.sha256}
    if data.licence:
        known |= {"license": data.licence}
    if data.address:
        known |= {"url": data.address}
    return {name: value for name, value in known.items() if value}


def _get(crate: ROCrate, name: str) -> Any:
    return crate.get(quote(name)) or crate.get(name)


def _add_origin(crate: ROCrate, supplement: Supplement) -> list[dict[str, str]]:
    """Describe the root: title, time, licence, authors, works to cite; return the authors."""
    citation, root = supplement.citation, crate.root_dataset
    root["name"] = citation.title
    root["description"] = "Notebooks, parameters, data and results, which can be executed again."
    root["datePublished"] = max(run.record["ended"] for run in supplement.runs)
    root["conformsTo"] = [{"@id": address} for address in PROFILES]
    for address, (name, version) in PROFILES.items():
        add_entity(crate, address, "CreativeWork", name=name, version=version)
    root["license"] = _licence(crate, supplement)
    agents = []
    for author in citation.authors:
        key = author.orcid or f"#{quote(author.name.replace(' ', '-'))}"
        add_entity(crate, key, "Person" if author.person else "Organization", name=author.name)
        agents.append({"@id": key})
    if agents:
        root["author"] = _one_or_all(agents)
    for work in citation.works:
        address = f"https://doi.org/{work.doi}"
        add_entity(crate, address, "ScholarlyArticle", name=work.title or work.doi)
        root.append_to("citation", {"@id": address}, compact=True)
    return agents


def _one_or_all(references: list[dict[str, str]]) -> Any:
    return references[0] if len(references) == 1 else list(references)


def _licence(crate: ROCrate, supplement: Supplement) -> object:
    add_entity(
        crate,
        "https://spdx.org/licenses/GPL-3.0-or-later",
        "CreativeWork",
        name="GNU General Public License v3.0 or later",
    )
    if named := supplement.citation.licence:
        address = f"https://spdx.org/licenses/{named}"
        if crate.get(address) is None:
            add_entity(crate, address, "CreativeWork", name=named)
        return {"@id": address}
    return {"@id": "LICENSE"} if "LICENSE" in supplement.members else "not stated"


def _add_run(
    crate: ROCrate, run: SharedRun, data: dict[str, Data], agents: list[dict[str, str]]
) -> None:
    record, results = run.record, f"results/{run.name}"
    written = [quote(f"{results}/{name}") for name in record["outputs"]]
    for name in record["outputs"]:
        entity, slot = _get(crate, f"{results}/{name}"), output_id(run.workflow, name)
        entity["exampleOfWork"] = {"@id": slot}
        crate.get(slot).append_to("workExample", {"@id": entity.id}, compact=True)
    action: dict[str, Any] = {
        "name": f"{run.workflow.name} on {record['sample']}",
        "description": f"{record['title']}. Python {record['python']}, {record['platform']}; "
        f"versions of all packages in {RECORD}.",
        "instrument": {"@id": f"notebooks/{quote(run.workflow.notebook.name)}"},
        "object": add_parameter_values(crate, run, data),
        "result": [{"@id": one} for one in [*written, quote(f"{results}/{RECORD}")]],
        "startTime": record["started"],
        "endTime": record["ended"],
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    if agents:
        action["agent"] = _one_or_all(agents)
    add_entity(crate, f"#run/{quote(run.name)}", "CreateAction", **action)
    crate.root_dataset.append_to("mentions", {"@id": f"#run/{quote(run.name)}"}, compact=True)
