"""GPUs shared out to processes by locks, with a list of devices that need not be there."""

import itertools
import signal
import subprocess
import sys
from collections import defaultdict

import pytest
from waiting import HANGS

from diffeo_stability import InputError
from diffeo_stability.pipeline.gpus import take_gpu
from diffeo_stability.pipeline.jobs import device_for

# Holds a GPU until it is told to end
JOB = """
import sys, time
from diffeo_stability.pipeline.gpus import take_gpu
place = take_gpu(["first", "second"], sys.argv[1])
print(place, time.monotonic(), flush=True)
sys.stdin.readline()
print(time.monotonic(), flush=True)
"""


@pytest.fixture
def job(tmp_path):
    """Starts a job; those that still run at the end are killed."""
    jobs = []

    def start():
        command = [sys.executable, "-c", JOB, str(tmp_path)]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        jobs.append(subprocess.Popen(command, **pipes, text=True))
        return jobs[-1]

    yield start
    for one in jobs:
        if one.poll() is None:
            one.kill()
            one.communicate()


def test_no_two_jobs_hold_the_same_gpu_and_all_get_one(job):
    first = [job() for _ in range(2)]
    starts = [one.stdout.readline() for one in first]
    others = [job() for _ in range(4)]
    assert all(one.stderr.readline() == "all 2 GPUs are taken: waiting for one\n" for one in others)
    for one in (*first, *others):
        one.stdin.write("end\n")
        one.stdin.flush()
    held = defaultdict(list)
    for one, start in zip([*first, *others], [*starts, *4 * [""]], strict=True):
        output, _ = one.communicate(timeout=HANGS)
        place, taken, given_back = (start + output).split()
        held[place].append((float(taken), float(given_back)))
    assert set(held) == {"0", "1"} and sum(map(len, held.values())) == 6
    for times in held.values():
        times.sort()
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))


def test_a_killed_job_gives_its_gpu_back(job):
    holding = [job() for _ in range(2)]
    places = [one.stdout.readline().split()[0] for one in holding]
    assert sorted(places) == ["0", "1"]
    holding[0].send_signal(signal.SIGKILL)
    holding[0].wait()
    output, _ = job().communicate("end\n", timeout=HANGS)
    assert output.split()[0] == places[0]


def test_gpus_are_taken_in_order(tmp_path):
    assert [take_gpu(["a", "b", "c"], tmp_path) for _ in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("asked", "gpus", "device"),
    [("cpu", ["a", "b"], "cpu"), ("auto", [], "cpu"), ("auto", ["a"], "cuda:0"), ("cuda:1", ["a", "b"], "cuda:1")],
)
def test_a_device_that_is_named_or_the_only_one_needs_no_lock(tmp_path, asked, gpus, device):
    for _ in range(2):
        assert device_for(asked, gpus, tmp_path) == device
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("asked", ["auto", "cuda"])
def test_jobs_on_a_machine_of_several_gpus_get_one_each(tmp_path, asked):
    assert [device_for(asked, ["a", "b"], tmp_path) for _ in range(2)] == ["cuda:0", "cuda:1"]


@pytest.mark.parametrize(("asked", "gpus"), [("cuda", []), ("cuda:2", ["a", "b"])])
def test_a_gpu_that_is_not_there_is_named(tmp_path, asked, gpus):
    with pytest.raises(InputError, match=f"device is {asked}, but torch finds {len(gpus)} GPUs here"):
        device_for(asked, gpus, tmp_path)
