"""A run that was copied without Snakemake's metadata cannot tell when its settings change: that is said."""

from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from diffeo_stability.pipeline.config import load_config
from diffeo_stability.pipeline.copied import METADATA, name_copied
from diffeo_stability.pipeline.plan import Plan
from diffeo_stability.pipeline.records import write_records


@pytest.fixture
def plan(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Plan(load_config(root / "config" / "smoke.yaml"))


def know(path):
    """Put there what Snakemake knows of a file."""
    METADATA.mkdir(parents=True, exist_ok=True)
    (METADATA / urlsafe_b64encode(path.encode()).decode()).write_text("{}")


def test_results_without_metadata_are_named_until_they_have_them(plan):
    assert name_copied(plan) is None
    copied = [plan.dataset, "results/smoke/networks/lenet/seed0/checkpoints", plan.claims()]
    for path in map(Path, copied):
        path.parent.mkdir(parents=True)
        path.mkdir() if path.name == "checkpoints" else path.write_text("made")
        write_records([path], rule="make", inputs={}, params={}, config={"run": "smoke"})
    assert name_copied(plan).startswith(f"note: {plan.dataset} and 2 more came here without .snakemake/metadata")
    for path in copied[:2]:
        know(path)
    assert name_copied(plan).startswith(f"note: {plan.claims()} came here without")
    know(copied[2])
    assert name_copied(plan) is None
