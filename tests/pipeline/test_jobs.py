"""How jobs end: in one line where the user can mend the reason or has interrupted them, else with what is needed to find it."""

import pytest

from diffeo_stability.core.errors import InputError
from diffeo_stability.pipeline.jobs import INTERRUPTED, exit_on_error


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
