"""A short run of the fuzzing benchmark: damage ends in one line, whatever the damage."""

from collections import Counter

import fuzz_readers
import pytest


@pytest.mark.parametrize("form", list(fuzz_readers.REAL))
def test_damaged_files(form, tmp_path):
    path = tmp_path / f"mutant.{form}"
    found: Counter[str] = Counter()
    for raw in fuzz_readers.mutants(form, 40):
        path.write_bytes(raw)
        found[fuzz_readers.outcome(path, form)] += 1
    assert set(found) <= {"ok", "ReaderError"}, found
    assert found["ReaderError"] > 5  # the damage is real


@pytest.mark.parametrize("form", list(fuzz_readers.REAL))
def test_what_is_damaged_was_sound(form, tmp_path):
    path = tmp_path / f"sound.{form}"
    path.write_bytes(fuzz_readers.synthetic(form))
    assert fuzz_readers.outcome(path, form) == "ok"
