"""The notebook of the I-V loops on files that differ from the specimen's."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from click.testing import CliRunner
from papermill.cli import papermill as command

ROOT = Path(__file__).parents[2]


def test_two_files_are_two_groups(tmp_path: Path) -> None:
    """Both files hold the same kinds of places, so that no difference is to be told."""
    given = tmp_path / "two.yaml"
    given.write_text(
        "sample: two\ncurves: specimen:rf_lmo_iv#1/curves\nrates: null\nreversal: null\n"
        "preconditioned: specimen:rf_lmo_iv#2/curves\ngroups: [first, second]\narea: unsigned_V\n"
    )
    out = tmp_path / "out.ipynb"
    _run(given, out)
    text = out.read_text()
    assert "There is one sweep rate only" in text
    assert "There are no loops of rising maximal bias" in text
    outputs = [one for cell in json.loads(text)["cells"] for one in cell.get("outputs", [])]
    assert "stderr" not in {one.get("name") for one in outputs}
    summary = "".join(outputs[-1]["data"]["text/plain"])
    assert "cannot tell" in summary and "first_places" in summary and "second_places" in summary


def _run(given: Path, out: Path) -> None:
    notebook = str(ROOT / "notebooks" / "iv_hysteresis.ipynb")
    done = CliRunner().invoke(command, [notebook, str(out), "-f", str(given), "--cwd", str(ROOT)])
    assert done.exit_code == 0, done.output[-2000:]


def test_unlike_sweeps_of_one_polarity_at_a_given_rate(tmp_path: Path) -> None:
    """Groups swept from 0 to 5 V and from 0 to 3 V: both are good, and said to differ."""
    _table(tmp_path / "two.csv")
    given = tmp_path / "two.yaml"
    given.write_text(
        f"sample: two\ncurves: {tmp_path / 'two.csv'}\nrates: null\nreversal: null\n"
        "groups: [far, near]\nsweep_rate: 5\n"
    )
    out = tmp_path / "out.ipynb"
    _run(given, out)
    outputs = [o for c in json.loads(out.read_text())["cells"] for o in c.get("outputs", [])]
    assert "stderr" not in {one.get("name") for one in outputs}
    text = "".join("".join(o.get("text", o.get("data", {}).get("text/plain", ""))) for o in outputs)
    assert "sweeps of the groups differ (far: 0 to 5 V; near: 0 to 3 V)" in text
    assert "larger (enhanced)" not in text  # the paper says nothing of these groups
    assert re.search(r"sweep rate / Hz +0\.2 +5(\.0)? ", text)
    assert re.search(r"far_places +6", text) and re.search(r"near_places +6", text)


def _table(path: Path) -> None:
    """Write six loops a group, a place each, whose time says 0.2 Hz."""
    rng = np.random.default_rng(0)
    way = np.linspace(0, 1, 201)
    shape = np.concatenate([way, way[-2::-1]])
    back = np.arange(shape.size) > 200
    rows = []
    for curve in range(12):
        top = 5.0 if curve < 6 else 3.0
        current = np.sinh(top * shape / 2) * np.exp(0.3 * rng.standard_normal())
        current *= 1 + np.where(back, 0.2 * (1 - shape), 0)
        rows.append(
            pd.DataFrame(
                {
                    "curve": curve,
                    "group": "far" if curve < 6 else "near",
                    "x_um": curve,
                    "y_um": 0,
                    "bias_V": top * shape,
                    "current_nA": current + 0.003 * rng.standard_normal(shape.size),
                    "time_s": np.linspace(0, 5, shape.size),
                }
            )
        )
    pd.concat(rows).to_csv(path, index=False)
