from __future__ import annotations

import json
import re
from pathlib import Path

from made_runs import FIRST, make_batch, make_run

from liscope.workflow.overview import write_overview
from liscope.workflow.project import Project


def page(project: Project) -> str:
    return write_overview(project).read_text()


def cards(project: Project) -> list[str]:
    """Return the keys on the cards."""
    shown = re.findall(r'<article class="card">.*?</article>', page(project), re.DOTALL)
    return [re.findall(r"· ([0-9a-f]{12})", card)[0] for card in shown]


def test_a_trial_or_a_sweep_does_not_take_the_card(light: Project) -> None:
    run = make_run(light, days=2, **FIRST)
    earlier = make_run(light, days=5, key="aaaaaaaaaaaa", **FIRST)
    trial = make_run(light, days=1, **(FIRST | {"bias": 3.0}))
    assert cards(light) == [run.name[-12:]]
    above, below = page(light).split("Earlier runs and trials")
    assert trial.name not in above and earlier.name not in above
    assert re.search(rf"{trial.name[-12:]}: bias 3\.0\s*</li>", below)
    assert re.search(rf"{earlier.name[-12:]}: same parameters, other code", below)
    assert "1 sample, 2 earlier runs" in above


def test_a_stale_run_of_the_file_comes_before_a_fresh_trial(light: Project) -> None:
    stale = make_run(light, days=5, key="aaaaaaaaaaaa", **FIRST)
    make_run(light, days=1, **(FIRST | {"bias": 3.0}))
    assert cards(light) == [stale.name[-12:]]
    assert "other parameters than those of its file" not in page(light)


def test_where_there_are_only_trials_the_card_says_so(light: Project) -> None:
    make_run(light, days=2, **(FIRST | {"bias": 4.0}))
    newest = make_run(light, days=1, **(FIRST | {"bias": 3.0}))
    assert cards(light) == [newest.name[-12:]]
    assert "other parameters than those of its file: bias 3.0" in page(light)


def test_a_sample_without_a_file_shows_its_newest_run(light: Project) -> None:
    make_run(light, days=2, sample="other", bias=4.0)
    newest = make_run(light, days=1, sample="other", bias=3.0)
    assert cards(light) == [newest.name[-12:]]
    assert "other parameters than those of its file" not in page(light)


def test_batches_are_listed_and_are_no_workflow(light: Project) -> None:
    run = make_run(light, **FIRST)
    batch = make_batch(light, "a batch #1", run, done=3, done_before=2, failed=1)
    (batch / "a-run-0123456789ab").mkdir()
    (batch.parent / "x-0123456789ab").mkdir()
    text = page(light)
    assert len(cards(light)) == 1
    assert '<a href="batches/a%20batch%20%231/index.html">a batch #1</a>, 5 done, 1 failed' in text
    make_batch(light, "second")
    assert "2 batches" in page(light)


def test_no_record_spoils_the_page(light: Project) -> None:
    run = make_run(light, **FIRST)
    record = json.loads((run / "record.json").read_text())
    for number, wrong in enumerate(
        (
            record | {"sample": ["first"]},
            {name: value for name, value in record.items() if name != "title"},
            record | {"components": [1]},
            record | {"components": {"parameters": "none"}},
            record | {"ended": 5},
            [record],
        )
    ):
        folder = run.with_name(f"wrong-{number:012x}")
        folder.mkdir()
        (folder / "record.json").write_text(json.dumps(wrong))
    deep = run.with_name("deep-0123456789ab")
    deep.mkdir()
    (deep / "record.json").write_text("[" * 100_000)
    (run / "summary.json").write_text("[1]")
    make_batch(light, "odd", done=1)
    (light.root / "results/batches/odd/record.json").write_text('{"done": "<b>", "failed": true}')
    assert cards(light) == [run.name[-12:]]


def test_names_in_a_record_are_text(light: Project) -> None:
    run = make_run(light, **FIRST)
    record = json.loads((run / "record.json").read_text())
    hostile = run.with_name('javascript:alert("1")#?-0123456789ab')
    hostile.mkdir()
    record |= {"sample": "<script>alert(1)</script>", "title": '"><img src=x onerror=alert(1)>'}
    (hostile / "record.json").write_text(json.dumps(record))
    text = page(light)
    assert "<script" not in text and "<img src=x" not in text
    assert 'href="toy/javascript%3Aalert%28%221%22%29%23%3F-0123456789ab/index.html"' in text


def test_damaged_notebooks_and_parameter_files_do_not_keep_the_page_away(light: Project) -> None:
    run = make_run(light, **FIRST)
    (light.root / "params/toy/first.yaml").write_text("sample: first\nbias: 400\n")
    assert cards(light) == [run.name[-12:]]
    (light.root / "notebooks/toy.ipynb").write_text("{")
    assert cards(light) == [run.name[-12:]]


def test_many_earlier_runs_are_folded(light: Project, tmp_path: Path) -> None:
    make_run(light, **FIRST)
    for bias in range(12):
        make_run(light, days=1, **(FIRST | {"bias": bias / 8}))
    assert "<details open><summary>12 runs" in page(light)
    make_run(light, days=1, **(FIRST | {"bias": -1.0}))
    assert "<details><summary>13 runs" in page(light)
