"""The pipeline on a real Slurm, started for the test: jobs are cancelled, the node goes away, the results are the same."""

import os
import re
import signal
import subprocess

import pytest
import yaml
from slurm_cluster import Cluster, missing_programs

TARGETS = ("figures/smoke/stability_vs_error.pdf", "figures/smoke/stability_vs_train_size.pdf")
OPTIONS = ("--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "1")


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


def jobs_of(cluster, rule):
    """Number, state, memory and partition of every job that a rule had."""
    listed = cluster.output("squeue", "--noheader", "--states=all", "--sort=i", "--format=%k|%i|%T|%m|%P")
    return [row.split("|")[1:] for row in listed.splitlines() if row.startswith(f"rule_{rule}_")]


def test_a_cancelled_job_and_a_lost_node_end_with_the_files_of_a_local_run(cluster, project, profile, finished_project):
    printed = project.folder / "printed"
    with printed.open("w") as output:
        run = subprocess.Popen(
            project.command(*TARGETS, *OPTIONS, "--configfile", "config/smoke.yaml"),
            cwd=project.folder,
            stdout=output,
            stderr=output,
            env=cluster.environment,
            start_new_session=True,
        )
    training = "train_network_wildcards_smoke_vgg11_bn"
    checkpoint = project.folder / "results/smoke/networks/vgg11_bn/seed0/checkpoints.partial/epoch0000.safetensors"
    try:
        cluster.wait_for("a training to be under way", lambda: checkpoint.exists() or run.poll() is not None, 120)
        assert run.poll() is None, printed.read_text()
        cluster.output("scancel", jobs_of(cluster, training)[0][0])
        cluster.stop_node()
        cluster.wait_for("the node to be lost", lambda: "down" in cluster.output("sinfo", "-h", "-o", "%T"), 60)
        cluster.start_node()
        assert run.wait(timeout=400) == 0, printed.read_text()
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
    assert [(state, memory) for _, state, memory, *_ in jobs_of(cluster, training)] == [
        ("CANCELLED", "4000M"),
        ("COMPLETED", "8000M"),
    ]
    made, reference = project.made(), finished_project.made()
    assert {target in made for target in TARGETS} == {True}
    assert [name for name in made if made[name] != reference.get(name)] == []


def test_jobs_ask_for_a_gpu_as_the_cluster_wants_it(cluster, project, profile):
    config = project.folder / "config" / "smoke.yaml"
    config.write_text(config.read_text().replace("device: cpu", "device: auto"))
    folder = "results/smoke/networks/lenet/seed0-100-images"
    rules = {"train_network_wildcards_smoke_lenet": "history", "measure_stability_wildcards_smoke_lenet": "stability"}
    asked = []
    for rule, table in rules.items():
        done = project.snakemake(f"{folder}/{table}.csv", *OPTIONS, env=cluster.environment)
        assert done.returncode == 0, done.stderr
        number, _, _, partition = jobs_of(cluster, rule)[-1]
        asked.append((partition, *re.findall(r"TresPer\S+", cluster.output("scontrol", "show", "job", number))))
        if rule.startswith("train"):
            take_in(profile, "set-resources")
    assert asked == [("main", "TresPerJob=gres:gpu:1"), ("gpu", "TresPerNode=gres:gpu:1")]


def test_the_profile_names_all_jobs_that_use_a_gpu(root, project, profile):
    take_in(profile, "set-resources")
    rules = "".join(path.read_text() for path in (root / "workflow" / "rules").glob("*.smk"))
    on_a_gpu = {rule.partition(":")[0] for rule in rules.split("\nrule ")[1:] if "gpu=" in rule}
    assert set(yaml.safe_load(profile.read_text())["set-resources"]) == on_a_gpu
