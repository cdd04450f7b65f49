"""GPUs shared out to processes by locks, with a list of devices that need not be there."""

import itertools
import signal
import subprocess
import sys
from collections import defaultdict

import pytest
from waiting import HANGS, wait_until

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


class Job:
    """A process that takes a GPU; what it says goes to a file."""

    def __init__(self, folder, said):
        self.said = said
        command = [sys.executable, "-c", JOB, str(folder)]
        with said.open("w") as file:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file, stderr=file, text=True)

    def lines(self):
        return self.said.read_text().splitlines()

    def first_line(self):
        wait_until(self.lines, "a job to say something", self.process)
        return self.lines()[0]

    def let_go(self):
        self.process.stdin.write("end\n")
        self.process.stdin.flush()


@pytest.fixture
def start(tmp_path):
    """Starts jobs, and ends those that are left."""
    jobs = []

    def start_one():
        jobs.append(Job(tmp_path / "locks", tmp_path / f"job{len(jobs)}"))
        return jobs[-1]

    yield start_one
    for job in jobs:
        job.process.kill()
        job.process.communicate()


def test_no_two_jobs_hold_the_same_gpu_and_all_get_one(start):
    holding = [start() for _ in range(2)]
    assert {job.first_line().split()[0] for job in holding} == {"0", "1"}
    waiting = [start() for _ in range(4)]
    assert {job.first_line() for job in waiting} == {"all 2 GPUs are taken: waiting for one"}
    for job in (*holding, *waiting):
        job.let_go()
    held = defaultdict(list)
    for job in (*holding, *waiting):
        assert job.process.wait(timeout=HANGS) == 0
        taken, given_back = job.lines()[-2:]
        place, since = taken.split()
        held[place].append((float(since), float(given_back)))
    assert set(held) == {"0", "1"} and sum(map(len, held.values())) == 6
    for times in held.values():
        times.sort()
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))


def test_a_killed_job_gives_its_gpu_back(start):
    killed, other = start(), start()
    place = killed.first_line().split()[0]
    assert sorted((place, other.first_line().split()[0])) == ["0", "1"]
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait()
    assert start().first_line().split()[0] == place


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
