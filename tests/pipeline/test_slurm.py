"""The pipeline on a real Slurm, started for the test: jobs are cancelled, the node goes away, the results are the same."""

import os
import re
import signal
from contextlib import contextmanager

import pytest
import yaml
from slurm_cluster import Cluster, missing_programs
from waiting import HANGS

from diffeo_stability.figures import FIGURES

OPTIONS = ("--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "4")
# Two trainings, measured, and a figure that needs the table of another one
TABLES = ("laplacian_spectra", "noise_curves", "noise_curves_summary", "noise_bump_images")
TARGETS = (*(f"results/smoke/tables/{table}.csv" for table in TABLES), "figures/smoke/noise_bump_images.pdf")
# Each Slurm job starts Snakemake twice, which takes longer than what it is for: short ones go together
GROUPS = (
    *("--groups", "measure_laplacian_spectra=measurements", "measure_noise_curves=measurements"),
    *("measure_noise_bump_images=figures", "--group-components", "measurements=12", "figures=20"),
)


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


def uncomment(profile, key):
    """Uncomment a setting of a profile, with all that belongs to it."""
    block = re.compile(rf"^# ({key}:.*\n(?:#   .*\n)*)", flags=re.MULTILINE)
    text, count = block.subn(lambda found: re.sub("^# ", "", "# " + found[1], flags=re.MULTILINE), profile.read_text())
    assert count == 1
    profile.write_text(text)


@pytest.fixture
def profile(project):
    """The project's own profile, set up for a cluster without an accounting database."""
    profile = project.folder / "profiles" / "slurm" / "config.yaml"
    uncomment(profile, "slurm-no-account")
    uncomment(profile, "slurm-status-command")
    return profile


@contextmanager
def running(cluster, project, *arguments):
    """A run on the cluster; what is left of it at the end is killed."""
    run = project.start(*arguments, env=cluster.environment)
    try:
        yield run
    except RuntimeError as error:
        raise RuntimeError(f"{error}\nIt printed:\n{(project.folder / 'printed').read_text()}") from None
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()


def jobs_of(cluster, name):
    """Number, state, memory and partition of every job of a rule or group, by the beginning of what Snakemake calls it."""
    listed = cluster.output("squeue", "--noheader", "--states=all", "--sort=i", "--format=%k|%i|%T|%m|%P")
    return [row.split("|")[1:] for row in listed.splitlines() if row.startswith(name)]


@pytest.mark.fault("identical", 2)
def test_a_cancelled_job_and_a_lost_node_end_with_the_files_of_a_local_run(cluster, project, profile, finished_project):
    training = "rule_train_network_wildcards_smoke_vgg11_bn"
    checkpoint = project.folder / "results/smoke/networks/vgg11_bn/seed0/checkpoints.partial/epoch0000.safetensors"
    with running(cluster, project, *TARGETS, *OPTIONS, *GROUPS) as run:
        cluster.wait_for("a training to be under way", checkpoint.exists, run)
        cluster.output("scancel", jobs_of(cluster, training)[0][0])
        cluster.wait_for("another try", lambda: [job[1] for job in jobs_of(cluster, training)[1:]] == ["RUNNING"], run)
        cluster.lose_node()
        cluster.bring_node_back()
        assert run.wait(timeout=HANGS) == 0, (project.folder / "printed").read_text()
    (_, *cancelled), (number, *again) = jobs_of(cluster, training)
    assert cancelled[:2] == ["CANCELLED", "3000M"] and again[:2] == ["COMPLETED", "6000M"]
    assert "Restarts=1" in cluster.output("scontrol", "show", "job", number)
    grouped = [jobs_of(cluster, f"rule_{group}_") for group in ("measurements", "figures")]
    assert [[state for _, state, *_ in jobs] for jobs in grouped] == [["COMPLETED"], ["COMPLETED"]]
    made, reference = project.made(), finished_project.made()
    assert [name for name in made if made[name] != reference.get(name)] == []
    assert set(TARGETS) <= set(made)


@pytest.mark.parametrize(
    ("as_gres", "asked"), [(False, ("main", "TresPerJob=gres:gpu:1")), (True, ("gpu", "TresPerNode=gres:gpu:1"))]
)
def test_a_job_asks_for_a_gpu_as_the_cluster_wants_it(cluster, project, profile, as_gres, asked):
    config = project.folder / "config" / "smoke.yaml"
    config.write_text(config.read_text().replace("device: cpu", "device: auto"))
    if as_gres:
        uncomment(profile, "set-resources")
    training = "rule_train_network_wildcards_smoke_lenet"
    before = len(jobs_of(cluster, training))
    with running(cluster, project, "results/smoke/networks/lenet/seed0-100-images/history.csv", *OPTIONS) as run:
        cluster.wait_for("a training to be submitted", lambda: len(jobs_of(cluster, training)) > before, run)
        number, _, _, partition = jobs_of(cluster, training)[-1]
        told = re.findall(r"TresPer\S+", cluster.output("scontrol", "show", "job", number))
        cluster.output("scancel", number)
    assert (partition, *told) == asked


def test_the_profile_names_all_jobs_that_use_a_gpu(profile):
    uncomment(profile, "set-resources")
    on_a_gpu = {f"measure_{stem}" for stem, figure in FIGURES.items() if figure.on_gpu}
    assert set(yaml.safe_load(profile.read_text())["set-resources"]) == on_a_gpu | {"train_network"}
