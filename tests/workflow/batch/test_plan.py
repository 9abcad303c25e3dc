"""What a sweep file becomes: its runs, in its order, with the values it gives."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import toy_project
from sweeps import snapshot, sweep

from liscope.errors import ParameterError
from liscope.workflow.batch.plan import Plan, make_plan
from liscope.workflow.batch.ranges import values_of
from liscope.workflow.keys import components
from liscope.workflow.project import Project
from liscope.workflow.run import run


def values(plan: Plan, *names: str) -> list[tuple[object, ...]]:
    return [tuple(getattr(job.parameters, name) for name in names) for job in plan.jobs]


def model(project: Project) -> type:
    return project.workflow("toy").model


def test_every_sample_meets_every_combination_in_the_files_order(light: Project) -> None:
    (light.root / "params/toy/second.yaml").write_text("sample: second\nbias: 3 V\ncount: 2\n")
    text = "samples: [second, first]\nvary:\n  side: [tip, sample]\n  cut: [null, 5, 7 um]\n"
    plan = make_plan(light, sweep(light.root, f"{text}fixed: {{count: 4}}"))
    expected = list(
        itertools.product(["second", "first"], ["tip", "sample"], [None, 5.0, 7000.0], [4])
    )
    assert values(plan, "sample", "side", "cut", "count") == expected
    assert values(plan, "bias") == [(3.0,)] * 6 + [(2.0,)] * 6
    assert plan.jobs[2].label == "second, side tip, cut 7000 nm"
    assert plan.jobs[0].label == "second, side tip, cut null"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"from": 0, "to": 1, "step": 0.1}, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        ({"from": -2, "to": 2, "step": 2}, [-2, 0, 2]),
        ({"from": "500 mV", "to": "1.5 V", "step": "500 mV"}, [0.5, 1, 1.5]),
        ({"from": 0, "to": 1, "count": 4}, list(np.linspace(0, 1, 4))),
        ({"from": 1, "to": 10, "count": 10}, list(range(1, 11))),
        ([1, "2 V"], [1, "2 V"]),
    ],
)
def test_ranges_hold_both_ends_and_what_was_typed(
    light: Project, given: object, expected: list[object]
) -> None:
    found = values_of(model(light), "bias", given, "here")
    if isinstance(given, dict) and "count" in given:
        np.testing.assert_allclose(found, expected, rtol=1e-14)
    else:
        assert found == expected


def test_ten_thousand_values_are_allowed_and_one_more_is_not(light: Project) -> None:
    whole = {"from": 1, "to": 10_000, "step": 1}
    assert values_of(model(light), "count", whole, "here") == list(range(1, 10_001))
    with pytest.raises(ParameterError, match="at most 10000 values"):
        values_of(model(light), "count", whole | {"to": 10_001}, "here")


def test_a_table_gives_a_sample_a_row(light: Project) -> None:
    rows = [
        "\ufeffsample,bias, side ,boxes,note,cut",
        'a,500 mV,tip,"[[0, 0, 1, 2], [3, 4, 5, 6]]",010,null',
        "",
        'b_2,-3,,,"no, =1+1",5',
    ]
    (light.root / "films.csv").write_text("\r\n".join(rows), encoding="utf-8")
    plan = make_plan(light, sweep(light.root, "samples: films.csv"))
    assert values(plan, "sample", "bias", "side", "note", "cut") == [
        ("a", 0.5, "tip", "010", None),
        ("b_2", -3.0, "tip", "no, =1+1", 5.0),
    ]
    assert values(plan, "boxes") == [([(0, 0, 1, 2), (3, 4, 5, 6)],), ([(0, 0, 1, 1)],)]
    (light.root / "films.yaml").write_text(
        "- {sample: a, bias: 500 mV, boxes: [[0, 0, 1, 2], [3, 4, 5, 6]], note: '010'}\n"
        "- {sample: b_2, bias: -3, note: 'no, =1+1', cut: 5}\n"
    )
    same = make_plan(light, sweep(light.root, "samples: films.yaml"))
    assert [job.parameters for job in same.jobs] == [job.parameters for job in plan.jobs]


def test_a_table_may_lie_elsewhere_in_the_project(light: Project) -> None:
    (light.root / "data").mkdir()
    (light.root / "params/sweeps").mkdir()
    (light.root / "data/films.csv").write_text("sample\na\n")
    file = sweep(light.root, "samples: ../../data/films.csv", "params/sweeps/one.yaml")
    assert values(make_plan(light, file), "sample") == [("a",)]


def test_files_become_samples(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(toy_project.make(root, model="ToyWithData", **toy_project.LIGHT))
    monkeypatch.chdir(root)
    (root / "data/.hidden").mkdir(parents=True)
    for name in ("film 1 (b).gwy", "film..2.gwy", ".hidden/c.gwy", "d.txt"):
        (root / "data" / name).write_text(name)
    text = 'samples: {files: "data/**/*.gwy", parameter: scan}\nvary: {count: [1, 2]}'
    plan = make_plan(project, sweep(root, text))
    assert values(plan, "sample", "scan", "count") == [
        ("film_1_b", "data/film 1 (b).gwy", 1),
        ("film_1_b", "data/film 1 (b).gwy", 2),
        ("film.2", "data/film..2.gwy", 1),
        ("film.2", "data/film..2.gwy", 2),
    ]


def test_the_keys_are_those_of_single_runs_and_what_is_done_is_known(light: Project) -> None:
    file = sweep(light.root, "vary: {count: [3, 4]}")
    plan = make_plan(light, file)
    assert [job.done for job in plan.jobs] == [False, False]
    workflow = light.workflow("toy")
    result = run(light, workflow, plan.jobs[1].parameters, "first")
    assert [job.key for job in plan.jobs] == [
        components(light, workflow, job.parameters).key for job in plan.jobs
    ]
    assert result.key == plan.jobs[1].key
    assert [job.done for job in make_plan(light, file).jobs] == [False, True]
    (result.folder / "summary.json").write_text("{}")
    assert [job.done for job in make_plan(light, file).jobs] == [False, False]
    shutil.rmtree(result.folder)
    assert [job.done for job in make_plan(light, file).jobs] == [False, False]


def test_data_of_the_registry_is_neither_missing_nor_fetched_by_a_dry_run(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(toy_project.make(root, model="ToyWithData", **toy_project.LIGHT))
    monkeypatch.chdir(root)
    monkeypatch.delenv("LISCOPE_REAL", raising=False)
    (root / "data").mkdir()
    entry = "{address: 'http://127.0.0.1:9/', sha256: '0', bytes: 1, licence: x, what: x}"
    (root / "data/registry.yaml").write_text(f"far.sxm: {entry}\n")
    from liscope import data

    data.registry.cache_clear()
    file = sweep(root, "fixed: {scan: 'real:far.sxm'}")
    before = snapshot(root)
    (job,) = make_plan(project, file, download=False).jobs
    assert (job.key, job.done) == ("", False)
    assert snapshot(root) == before
    with pytest.raises(ParameterError, match=r"^scan \(sweep.yaml, line 3\): 'far.sxm' is not on"):
        make_plan(project, file)
    data.registry.cache_clear()


def test_faults_that_join_parameters_name_the_run(light: Project) -> None:
    path = light.root / "model/toy_model.py"
    rule = """
    @model_validator(mode="after")
    def _together(self):
        if self.side == "tip" and self.count > 5:
            raise ValueError(f"count: got {self.count}; right is at most 5 at the tip")
        return self
"""
    text = path.read_text().replace("import Field", "import Field, model_validator")
    path.write_text(text.replace("\n\nclass ToyWithData", f"{rule}\n\nclass ToyWithData"))
    with pytest.raises(ParameterError) as caught:
        make_plan(light, sweep(light.root, "vary: {side: [tip, sample], count: [5, 6]}"))
    assert str(caught.value) == (
        "count: got 6; right is at most 5 at the tip (first, side tip, count 6)"
    )
