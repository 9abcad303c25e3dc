"""The description of a supplement, held to what the specifications say MUST be.

RO-Crate 1.1 (https://w3id.org/ro/crate/1.1), Process and Workflow Run Crate 0.5
(https://w3id.org/ro/wfrun), Workflow RO-Crate 1.0 (https://w3id.org/workflowhub/workflow-ro-crate).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from share_toy import OWN, SCAN, contents

from liscope.parameters.tip_stress_maps import TipStressMaps

Entity = dict[str, Any]


@pytest.fixture(scope="module")
def members(two_runs: Path) -> dict[str, bytes]:
    return contents(two_runs)


@pytest.fixture(scope="module")
def document(members: dict[str, bytes]) -> Entity:
    return json.loads(members["ro-crate-metadata.json"])


@pytest.fixture(scope="module")
def graph(document: Entity) -> dict[str, Entity]:
    return {entity["@id"]: entity for entity in document["@graph"]}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def keys(value: Any) -> list[str]:
    return [one["@id"] for one in as_list(value)]


def of_type(graph: dict[str, Entity], kind: str) -> list[Entity]:
    return [entity for entity in graph.values() if kind in as_list(entity["@type"])]


def references(value: Any) -> Iterator[str]:
    for one in as_list(value):
        if isinstance(one, dict):
            yield one["@id"]


def test_the_document_is_flat_json_ld(document: Entity, graph: dict[str, Entity]) -> None:
    context = as_list(document["@context"])
    assert context[0] == "https://w3id.org/ro/crate/1.1/context"
    assert len(graph) == len(document["@graph"])  # no key twice
    for entity in graph.values():
        assert entity["@id"] and entity["@type"]
        for name, value in entity.items():
            nested = [one for one in as_list(value) if isinstance(one, dict)]
            assert all(one.keys() == {"@id"} for one in nested), (entity["@id"], name)
            assert not any(isinstance(one, list) for one in as_list(value))


def test_the_descriptor_and_the_root(graph: dict[str, Entity]) -> None:
    descriptor = graph["ro-crate-metadata.json"]
    assert descriptor["@type"] == "CreativeWork" and descriptor["about"] == {"@id": "./"}
    assert "https://w3id.org/ro/crate/1.1" in keys(descriptor["conformsTo"])
    root = graph["./"]
    assert root["@type"] == "Dataset"
    for name in ("name", "description", "datePublished", "license"):
        assert root[name], name
    assert datetime.fromisoformat(root["datePublished"]).tzinfo is not None
    profiles = keys(root["conformsTo"])
    assert "https://w3id.org/ro/wfrun/process/0.5" in profiles
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in profiles
    assert "https://w3id.org/workflowhub/workflow-ro-crate/1.0" in profiles
    assert all("CreativeWork" in as_list(graph[profile]["@type"]) for profile in profiles)


def test_every_reference_leads_to_an_entity(graph: dict[str, Entity]) -> None:
    elsewhere = ("https://w3id.org/ro/crate/", "https://bioschemas.org/profiles/")
    for entity in graph.values():
        for name, value in entity.items():
            for key in references(value):
                assert key in graph or key.startswith(elsewhere), (entity["@id"], name, key)


def test_every_file_is_described_and_every_description_has_its_file(
    graph: dict[str, Entity], members: dict[str, bytes]
) -> None:
    files = {unquote(one["@id"]): one for one in of_type(graph, "File")}
    here = {name: one for name, one in files.items() if not name.startswith("https://")}
    folders = [unquote(one["@id"]) for one in of_type(graph, "Dataset") if one["@id"] != "./"]
    assert here.keys() <= members.keys()
    assert folders == ["lib/liscope/"]
    for name in members.keys() - here.keys() - {"ro-crate-metadata.json"}:
        assert name.startswith(tuple(folders)), name
    for name, one in here.items():
        assert one["sha256"] == hashlib.sha256(members[name]).hexdigest()
        assert one["contentSize"] == str(len(members[name]))
        assert "/" in one["encodingFormat"]
    parts = set(keys(graph["./"]["hasPart"]))
    assert parts == {one["@id"] for one in of_type(graph, "File")} | set(folders)


def test_the_workflow(graph: dict[str, Entity]) -> None:
    workflow = graph[graph["./"]["mainEntity"]["@id"]]
    assert workflow["@id"] == "notebooks/toy.ipynb"
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} == set(workflow["@type"])
    (language,) = keys(workflow["programmingLanguage"])
    assert graph[language]["@type"] == "ComputerLanguage"
    inputs = [graph[key] for key in keys(workflow["input"])]
    assert [one["name"] for one in inputs] == list(TipStressMaps.model_fields)
    for one in [*inputs, *(graph[key] for key in keys(workflow["output"]))]:
        assert one["@type"] == "FormalParameter" and one["additionalType"]
        for example in references(one.get("workExample")):
            kinds = as_list(graph[example]["@type"])
            assert {"File", "Dataset", "PropertyValue"} & set(kinds)
    margin = next(one for one in inputs if one["name"] == "margin")
    assert margin["additionalType"] == "Float" and margin["unitText"] == "um"
    assert margin["description"] == TipStressMaps.meaning("margin").meaning
    assert margin["defaultValue"] == "0.08"
    areas = next(one for one in inputs if one["name"] == "areas")
    assert areas["multipleValues"] is True


def test_each_run_is_an_action(graph: dict[str, Entity], members: dict[str, bytes]) -> None:
    actions = of_type(graph, "CreateAction")
    assert len(actions) == 2
    assert sorted(keys(graph["./"]["mentions"])) == sorted(one["@id"] for one in actions)
    for action in actions:
        assert keys(action["instrument"]) == ["notebooks/toy.ipynb"]
        begun, ended = (datetime.fromisoformat(action[name]) for name in ("startTime", "endTime"))
        assert begun <= ended
        folder = f"results/{action['@id'].removeprefix('#run/')}/"
        written = {name for name in members if name.startswith(folder)}
        assert set(map(unquote, keys(action["result"]))) == written
        assert [graph[key]["@type"] for key in keys(action["agent"])] == ["Person", "Organization"]


def test_what_a_run_was_given(graph: dict[str, Entity]) -> None:
    (action,) = (one for one in of_type(graph, "CreateAction") if one["name"] == "toy on own")
    given = [graph[key] for key in keys(action["object"])]
    for one in given:
        (formal,) = keys(one["exampleOfWork"])
        assert graph[formal]["@type"] == "FormalParameter"
        assert one["@id"] in keys(graph[formal]["workExample"])
    values = {one["name"]: one["value"] for one in given if one["@type"] == "PropertyValue"}
    expected = TipStressMaps.check(OWN).plain()
    lists = {name: json.loads(values[name]) for name in ("areas", "area_names", "quoted")}
    told = expected.keys() - {name for name, value in expected.items() if value is None}
    assert values | lists == {name: expected[name] for name in told - {"stressed"}}
    (scan,) = (one for one in given if one["@type"] == "File")
    assert scan["@id"] == "data/my%20scan.csv" and scan["alternateName"] == "data/my scan.csv"
    assert scan["sha256"] == hashlib.sha256(SCAN.encode()).hexdigest()


def test_people_licence_and_citation(graph: dict[str, Entity]) -> None:
    root = graph["./"]
    assert keys(root["author"]) == ["https://orcid.org/0000-0000-0000-0001", "#The-toy-group"]
    assert graph["https://orcid.org/0000-0000-0000-0001"]["name"] == "Ada Example"
    assert keys(root["license"]) == ["https://spdx.org/licenses/GPL-3.0-or-later"]
    assert keys(root["citation"]) == ["https://doi.org/10.1234/toys"]
    assert graph["https://doi.org/10.1234/toys"]["name"] == "On toys"


def test_the_page_says_where_the_data_is(members: dict[str, bytes]) -> None:
    page = members["index.html"].decode()
    assert (
        '<code>specimen:lmo/stressed</code></td>\n<td colspan="4">simulated by the library' in page
    )
    assert '<a href="data/my%20scan.csv">data/my scan.csv</a>' in page
    assert hashlib.sha256(SCAN.encode()).hexdigest() in page
