"""How jobs end: in one line where the user can mend the reason or has interrupted them, else with what is needed to find it."""

from types import SimpleNamespace

import pytest
import torch
from snakemake.iocontainers import Params

from diffeo_stability.core.errors import InputError
from diffeo_stability.pipeline.jobs import INTERRUPTED, exit_on_error
from diffeo_stability.pipeline.measuring import given_to


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (InputError("a.csv is damaged: delete it"), 1, "error: a.csv is damaged: delete it"),
        (PermissionError(13, "Permission denied", "a.csv"), 1, "error: a.csv: Permission denied: allow yourself"),
        (KeyError("R"), 1, "unexpected error"),
        (KeyboardInterrupt(), INTERRUPTED, "interrupted; run again to go on"),
        (KeyboardInterrupt("at epoch 43 of 150"), INTERRUPTED, "interrupted at epoch 43 of 150; run again to go on"),
    ],
)
def test_a_job_ends_with_one_line_and_a_status(caplog, error, status, said):
    with pytest.raises(SystemExit) as caught, exit_on_error():
        raise error
    (record,) = caplog.records
    assert caught.value.code == status and record.getMessage().startswith(said)
    assert bool(record.exc_info) == (said == "unexpected error")


def test_a_figure_that_reads_nothing_is_measured_with_as_many_threads_as_its_job_has():
    before = torch.get_num_threads()
    params = Params(fromdict={"stem": "constant_filters", "settings": {"seed": 3}, "device": "cpu"})
    try:
        torch.set_num_threads(2)
        given = given_to(SimpleNamespace(input={}, params=params, threads=1))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert given.settings.seed == 3 and given.dataset is None and given.probe is None
