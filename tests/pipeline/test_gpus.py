"""GPUs shared out to processes by locks, with a list of devices that need not be there."""

import itertools
import signal
import subprocess
import sys
import time
from collections import defaultdict

import pytest

from diffeo_stability import InputError
from diffeo_stability.pipeline.gpus import take_gpu
from diffeo_stability.pipeline.jobs import device_for

JOB = """
import sys, time
from diffeo_stability.pipeline.gpus import take_gpu
place = take_gpu(["first", "second"], sys.argv[1])
print(place, time.time(), flush=True)
time.sleep(float(sys.argv[2]))
print(time.time(), flush=True)
"""


def job(folder, seconds):
    command = [sys.executable, "-c", JOB, str(folder), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_no_two_jobs_hold_the_same_gpu_and_all_get_one(tmp_path):
    jobs = [job(tmp_path, 0.4) for _ in range(6)]
    held = defaultdict(list)
    waited = 0
    for one in jobs:
        output, told = one.communicate(timeout=60)
        place, start, end = output.split()
        held[place].append((float(start), float(end)))
        waited += "all 2 GPUs are taken: waiting for one" in told
    assert set(held) == {"0", "1"} and sum(map(len, held.values())) == 6 and waited >= 2
    for times in held.values():
        times.sort()
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))


def test_a_killed_job_gives_its_gpu_back(tmp_path):
    holding = [job(tmp_path, 60) for _ in range(2)]
    places = [one.stdout.readline().split()[0] for one in holding]
    assert sorted(places) == ["0", "1"]
    holding[0].send_signal(signal.SIGKILL)
    holding[0].wait()
    start = time.monotonic()
    next_one = job(tmp_path, 0)
    output, _ = next_one.communicate(timeout=60)
    assert output.split()[0] == places[0] and time.monotonic() - start < 30
    holding[1].kill()
    for one in holding:
        one.communicate()


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
