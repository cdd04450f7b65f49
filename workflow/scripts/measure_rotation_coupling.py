"""Compare how one network's first-layer filters are rotated copies with how its second layer couples them."""

from diffeo_stability.config import Probe, RotationCoupling
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.rotation_coupling import measure_rotation_coupling
from diffeo_stability.tables import write_table

with running(snakemake):
    set_up_torch("cpu", snakemake.threads)
    rows, summary = measure_rotation_coupling(
        snakemake.input.checkpoints,
        RotationCoupling(**snakemake.params.rotation_coupling),
        Probe(**snakemake.params.probe),
    )
    write_table(rows, snakemake.output.table)
    write_table(summary, snakemake.output.summary)
