"""A real Slurm of one node, in a folder and on ports of its own: nothing of a Slurm that is already there is touched.

``python tests/slurm_cluster.py start FOLDER`` prints the variables that point Slurm's commands to it; ``stop FOLDER`` ends
it. It needs slurmctld, slurmd and munged (Debian: ``slurm-wlm`` and ``munge``) and runs them as the user who starts it.
"""

import argparse
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from waiting import wait_until

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
SETTINGS = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,batch_sched_delay=0
ReturnToService=2
MinJobAge=3600
SlurmdParameters=config_overrides
KillWait=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory={memory} Gres=gpu:1
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""


class Cluster:
    """One node that is controller and worker. It has eight CPUs and one GPU by name only.

    Args:
        folder: holds its settings, sockets, state and logs.
        memory: in MiB, what it gives out to jobs: it decides how many run at a time.
    """

    def __init__(self, folder: str | Path, memory: int = 8000):
        self.folder = Path(folder).resolve()
        self.memory = memory
        self.environment = os.environ | {
            "SLURM_CONF": f"{self.folder}/slurm.conf",
            "PATH": f"{self.folder}/bin{os.pathsep}{os.environ['PATH']}",
        }

    def start(self) -> None:
        """Start it and wait until its node takes jobs.

        Raises:
            RuntimeError: it does not come up; the message has the end of its logs.
        """
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        controller_port, node_port = _free_ports(2)
        settings = SETTINGS.format(
            folder=self.folder,
            host=socket.gethostname().partition(".")[0],
            user=getpass.getuser(),
            controller_port=controller_port,
            node_port=node_port,
            memory=self.memory,
        )
        (self.folder / "slurm.conf").write_text(settings)
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
        # Snakemake hides Slurm's variables from the step that it starts inside a job, this one too
        srun = self.folder / "bin" / "srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)
        files = {name: self.folder / f"munge.{name}" for name in ("socket", "pid", "log", "seed")}
        self._run(
            "munged", "--force", f"--key-file={key}", f"--socket={files['socket']}", f"--pid-file={files['pid']}",
            f"--log-file={files['log']}", f"--seed-file={files['seed']}",
        )  # fmt: skip
        self._run("slurmctld", "-c")
        self.start_node()
        self.wait_for("the node to take jobs", lambda: self.output("sinfo", "-h", "-o", "%T") == "idle")

    def start_node(self) -> None:
        """Start slurmd."""
        self._run("slurmd")

    def lose_node(self) -> None:
        """Take the node down, with the jobs that run on it; Slurm puts them back into the queue."""
        name = self.output("sinfo", "-h", "-o", "%n")
        self.output("scontrol", "update", f"NodeName={name}", "State=DOWN", "Reason=lost")
        self.wait_for("the node's jobs to end", lambda: not self.output("squeue", "-h", "--states=R,CG"))
        self._end("slurmd")

    def bring_node_back(self) -> None:
        """Start slurmd again, and soon the jobs that went with the node: Slurm would let them wait for two minutes.

        Not in the second in which they went: what was revoked then, counted in seconds, would be what they start with.
        """
        self.start_node()
        self.wait_for("the node to take jobs", lambda: self.output("sinfo", "-h", "-o", "%T") == "idle")
        for job in self.output("squeue", "-h", "--states=PD", "-o", "%i").split():
            self.output("scontrol", "update", f"JobId={job}", "StartTime=now+3")

    def stop(self) -> None:
        """End all jobs and all of Slurm's own processes; the folder stays."""
        if (self.folder / "slurmctld.pid").exists():
            subprocess.run(["scancel", f"--user={getpass.getuser()}"], env=self.environment, capture_output=True)
        for name in ("slurmd", "slurmctld", "munge"):
            self._end(name)

    def wait_for(self, what: str, condition: Callable[[], bool], run: subprocess.Popen | None = None) -> None:
        """Wait until a condition holds; see :func:`waiting.wait_until`, whose error gets the end of the logs."""
        try:
            wait_until(condition, what, run)
        except RuntimeError as error:
            logs = [f"{log}:\n{log.read_text()[-2000:]}" for log in sorted(self.folder.glob("*.log"))]
            raise RuntimeError("\n".join([str(error), *logs])) from None

    def _end(self, name: str) -> None:
        file = self.folder / f"{name}.pid"
        if not file.exists():
            return
        process = int(file.read_text())
        os.kill(process, signal.SIGTERM)
        self.wait_for(f"{name} to end", lambda: not _runs(process))
        file.unlink(missing_ok=True)

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} does not start: {done.stderr or done.stdout}")

    def output(self, *command: str) -> str:
        return subprocess.run(command, env=self.environment, capture_output=True, text=True).stdout.strip()


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def missing_programs() -> list[str]:
    """Return those of Slurm's programs that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def main() -> None:
    """Start or stop a cluster from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("start", "stop"))
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if missing := missing_programs():
        sys.exit(f"error: {', '.join(missing)} not found: install slurm-wlm and munge")
    cluster = Cluster(arguments.folder)
    if arguments.action == "stop":
        return cluster.stop()
    if (cluster.folder / "slurm.conf").exists():
        sys.exit(f"error: {cluster.folder} holds a cluster already: stop it and delete the folder")
    try:
        cluster.start()
    except RuntimeError as error:
        cluster.stop()
        sys.exit(f"error: {error}")
    return print(f'export SLURM_CONF={cluster.folder}/slurm.conf PATH="{cluster.folder}/bin:$PATH"')


if __name__ == "__main__":
    main()
