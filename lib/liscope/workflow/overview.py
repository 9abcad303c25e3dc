"""The page over all runs: one card a sample, all other runs in a list below."""

from __future__ import annotations

from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from liscope.errors import LiscopeError
from liscope.workflow.deliver import SUMMARY
from liscope.workflow.folders import clear_half_written, write_whole
from liscope.workflow.inventory import (
    Batch,
    Run,
    batches,
    best_of,
    by_sample,
    finished_runs,
    sample_parameters,
)
from liscope.workflow.pages import POLICY, TEMPLATES, THUMBNAIL, image, read_json, shown, style
from liscope.workflow.parameters import Parameters, short
from liscope.workflow.project import Project

_FEW = 12  # earlier runs that are shown without being asked for


def write_overview(project: Project) -> Path:
    """Write ``results/index.html`` over all finished runs, and return its path.

    The card of a sample is its newest run with the parameters of its file as they stand; failing
    that, the newest. Trials with other parameters and the runs of a sweep are in the list below.
    """
    from filelock import FileLock
    from jinja2 import Environment, FileSystemLoader

    results = project.root / "results"
    results.mkdir(exist_ok=True)
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    template = environment.get_template("overview.html.j2")
    # Under a lock, so that the page written last has seen every run.
    with FileLock(results / ".lock"):
        cards, others = _split(finished_runs(results), _parameters(project))
        html = template.render(
            groups=cards,
            others=others,
            few=_FEW,
            batches=[_batch(batch) for batch in batches(results)],
            css=style(),
            policy=POLICY,
            shown=shown,
        )
        clear_half_written(results)
        write_whole(results / "index.html", html)
    return results / "index.html"


def _parameters(project: Project) -> dict[tuple[str, str], Parameters]:
    with suppress(LiscopeError):  # a damaged notebook: the runs are there all the same
        return sample_parameters(project)
    return {}


def _split(
    runs: list[Run], files: dict[tuple[str, str], Parameters]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the cards in one group a workflow, and all other runs."""
    cards: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for sample, same in by_sample(runs):
        best = best_of(same, files.get(sample))
        of_file = sample not in files or best.made_with(files[sample])
        differs = "" if of_file else _differs(best.parameters, files[sample].plain())
        cards.append(_card(best) | {"differs": differs})
        others += [
            _entry(run) | {"differs": _differs(run.parameters, best.parameters)}
            for run in same
            if run is not best
        ]
    groups = [list(group) for _, group in groupby(cards, key=lambda card: card["workflow"])]
    titled = [{"title": group[0]["title"], "runs": group, "count": len(group)} for group in groups]
    return titled, others


def _differs(values: dict[str, Any], others: dict[str, Any]) -> str:
    """Return the values that are not as in ``others``: "margin 0.1, bias 2.0"."""
    changed = [name for name, value in values.items() if value != others.get(name)]
    text = ", ".join(f"{name} {short(values[name])}" for name in changed[:4])
    return text + (f" and {len(changed) - 4} more" if len(changed) > 4 else "")


def _entry(run: Run) -> dict[str, Any]:
    folder = run.folder
    return {name: run.record[name] for name in ("workflow", "title", "sample", "key", "ended")} | {
        "link": quote(f"{folder.parent.name}/{folder.name}/index.html")
    }


def _card(run: Run) -> dict[str, Any]:
    thumbnail = run.folder / THUMBNAIL
    summary: Any = None
    with suppress(OSError, ValueError, RecursionError):  # changed by hand: `liscope status` says so
        summary = read_json(run.folder / SUMMARY)
    return _entry(run) | {
        "summary": summary if isinstance(summary, dict) else {},
        "thumbnail": image(thumbnail) if thumbnail.is_file() else "",
    }


def _batch(batch: Batch) -> dict[str, Any]:
    name = batch.folder.name
    return {"name": name, "link": quote(f"batches/{name}/index.html"), "counts": batch.counts}
