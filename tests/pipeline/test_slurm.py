"""The pipeline on a real Slurm, started for the test: jobs are cancelled, the node goes away, the results are the same."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager

import pytest
import yaml
from slurm_cluster import Cluster, missing_programs

OPTIONS = ("--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "1")
AFTER_OTHERS = ("measure_noise_bump_images", "measure_stability_vs_error")  # they need the table of another figure


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if missing := missing_programs():
        pytest.skip(f"Slurm is not installed here: no {', '.join(missing)} (Debian: apt-get install slurm-wlm munge)")
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def take_in(profile, key):
    """Take a setting, with all that belongs to it, into a profile that has it as a comment."""
    block = re.compile(rf"^# ({key}:.*\n(?:#   .*\n)*)", flags=re.MULTILINE)
    text, count = block.subn(lambda found: re.sub("^# ", "", "# " + found[1], flags=re.MULTILINE), profile.read_text())
    assert count == 1
    profile.write_text(text)


@pytest.fixture
def profile(project):
    """The project's own profile, set up for a cluster without an accounting database."""
    profile = project.folder / "profiles" / "slurm" / "config.yaml"
    take_in(profile, "slurm-no-account")
    take_in(profile, "slurm-status-command")
    return profile


@pytest.fixture
def grouped(root):
    """Options that put short jobs together: each Slurm job starts Snakemake twice, which takes longer than they do."""
    measuring = {path.stem for path in (root / "workflow" / "scripts").glob("measure_*.py")} - {*AFTER_OTHERS}
    groups = [f"{rule}=measurements" for rule in sorted(measuring)] + [f"{rule}=figures" for rule in AFTER_OTHERS]
    return "--groups", *groups, "--group-components", "measurements=12", "figures=20"


@contextmanager
def running(cluster, project, *arguments):
    """A run on the cluster; what is left of it at the end is killed."""
    printed = project.folder / "printed"
    with printed.open("w") as output:
        run = subprocess.Popen(
            project.command(*arguments, "--configfile", "config/smoke.yaml"),
            cwd=project.folder,
            stdout=output,
            stderr=output,
            env=cluster.environment,
            start_new_session=True,
        )
    run.printed = printed
    try:
        yield run
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()


def jobs_of(cluster, rule):
    """Number, state, memory and partition of every job that a rule had."""
    listed = cluster.output("squeue", "--noheader", "--states=all", "--sort=i", "--format=%k|%i|%T|%m|%P")
    return [row.split("|")[1:] for row in listed.splitlines() if row.startswith(f"rule_{rule}_")]


def test_a_cancelled_job_and_a_lost_node_end_with_the_files_of_a_local_run(
    cluster, project, profile, grouped, finished_project
):
    # Of the figures one: drawing them takes as long as all else
    targets = *finished_project.tables(), "figures/smoke/stability.pdf"
    training = "train_network_wildcards_smoke_vgg11_bn"
    checkpoint = project.folder / "results/smoke/networks/vgg11_bn/seed0/checkpoints.partial/epoch0000.safetensors"
    with running(cluster, project, *targets, *OPTIONS, *grouped) as run:
        cluster.wait_for("a training to be under way", lambda: checkpoint.exists() or run.poll() is not None, 120)
        assert run.poll() is None, run.printed.read_text()
        cluster.output("scancel", jobs_of(cluster, training)[0][0])
        cluster.stop_node()
        cluster.wait_for("the node to be lost", lambda: "down" in cluster.output("sinfo", "-h", "-o", "%T"), 60)
        cluster.start_node()
        assert run.wait(timeout=600) == 0, run.printed.read_text()
    assert [(state, memory) for _, state, memory, *_ in jobs_of(cluster, training)] == [
        ("CANCELLED", "4000M"),
        ("COMPLETED", "8000M"),
    ]
    made, reference = project.made(), finished_project.made()
    assert [name for name in made if made[name] != reference.get(name)] == []
    assert set(targets) <= set(made)


@pytest.mark.parametrize(
    ("as_gres", "asked"), [(False, ("main", "TresPerJob=gres:gpu:1")), (True, ("gpu", "TresPerNode=gres:gpu:1"))]
)
def test_a_job_asks_for_a_gpu_as_the_cluster_wants_it(cluster, project, profile, as_gres, asked):
    config = project.folder / "config" / "smoke.yaml"
    config.write_text(config.read_text().replace("device: cpu", "device: auto"))
    if as_gres:
        take_in(profile, "set-resources")
    training = "train_network_wildcards_smoke_lenet"
    before = len(jobs_of(cluster, training))
    with running(cluster, project, "results/smoke/networks/lenet/seed0-100-images/history.csv", *OPTIONS):
        cluster.wait_for("a training to be submitted", lambda: len(jobs_of(cluster, training)) > before, 120)
        number, _, _, partition = jobs_of(cluster, training)[-1]
        told = re.findall(r"TresPer\S+", cluster.output("scontrol", "show", "job", number))
        cluster.output("scancel", number)
    assert (partition, *told) == asked


def test_the_profile_names_all_jobs_that_use_a_gpu(root, project, profile):
    take_in(profile, "set-resources")
    rules = "".join(path.read_text() for path in (root / "workflow" / "rules").glob("*.smk"))
    on_a_gpu = {rule.partition(":")[0] for rule in rules.split("\nrule ")[1:] if "gpu=" in rule}
    assert set(yaml.safe_load(profile.read_text())["set-resources"]) == on_a_gpu
