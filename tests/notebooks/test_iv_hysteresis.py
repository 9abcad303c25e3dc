"""The notebook of the I-V loops where each group lies in a file of its own."""

import json
from pathlib import Path

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
    notebook = str(ROOT / "notebooks" / "iv_hysteresis.ipynb")
    done = CliRunner().invoke(command, [notebook, str(out), "-f", str(given), "--cwd", str(ROOT)])
    assert done.exit_code == 0, done.output[-2000:]
    text = out.read_text()
    assert "There is one sweep rate only" in text
    assert "There are no loops of rising maximal bias" in text
    outputs = [one for cell in json.loads(text)["cells"] for one in cell.get("outputs", [])]
    assert "stderr" not in {one.get("name") for one in outputs}
    summary = "".join(outputs[-1]["data"]["text/plain"])
    assert "cannot tell" in summary and "first_places" in summary and "second_places" in summary
