"""The page of a sweep: what varied, what failed, and a card a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from liscope.workflow.batch.plan import Plan, in_words
from liscope.workflow.batch.pool import Outcome
from liscope.workflow.batch.table import summary_of
from liscope.workflow.pages import POLICY, TEMPLATES, THUMBNAIL, image, shown, style

_MOST_CARDS = 500  # a page of more thumbnails is slow to open; the table has all runs


def gallery(plan: Plan, outcomes: Sequence[Outcome]) -> str:
    """Return the page of a sweep as HTML that loads nothing and runs nothing."""
    from jinja2 import Environment, FileSystemLoader  # here: a dry run needs no page

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    states = [outcome.state for outcome in outcomes]
    return environment.get_template("batch.html.j2").render(
        name=plan.name,
        title=plan.workflow.title,
        counts={state: states.count(state) for state in ("done", "failed", "not run")},
        varied=_varied(plan),
        failures=[outcome for outcome in outcomes if outcome.error],
        cards=[_card(plan, outcome) for outcome in outcomes if outcome.folder][:_MOST_CARDS],
        css=style(),
        policy=POLICY,
        shown=shown,
    )


def _varied(plan: Plan) -> list[dict[str, Any]]:
    model = plan.workflow.model
    samples = list(dict.fromkeys(job.sample for job in plan.jobs))
    return [{"name": "sample", "held": samples, "meaning": ""}] + [
        {
            "name": name,
            "held": list(dict.fromkeys(in_words(job.parameters, name) for job in plan.jobs)),
            "meaning": model.meaning(name).meaning.replace("`", ""),
        }
        for name in plan.varied
    ]


def _card(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    assert outcome.folder is not None
    thumbnail = outcome.folder / THUMBNAIL
    return {
        "label": outcome.job.label,
        "key": outcome.key,
        "link": f"../../{plan.workflow.name}/{outcome.folder.name}/index.html",
        "thumbnail": image(thumbnail) if thumbnail.is_file() else "",
        "summary": summary_of(outcome),
    }
