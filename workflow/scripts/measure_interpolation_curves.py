"""Measure how one trained network's output changes towards another image, and with noise of the same norm."""

from diffeo_stability.config import InterpolationCurves, Probe
from diffeo_stability.datasets import load_dataset
from diffeo_stability.interpolation_curves import measure_interpolation_curves
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.tables import write_table

with running(snakemake):
    rows = measure_interpolation_curves(
        snakemake.input.checkpoints,
        load_dataset(snakemake.input.dataset),
        InterpolationCurves(**snakemake.params.interpolation_curves),
        Probe(**snakemake.params.probe),
        set_up_torch(snakemake.params.device, snakemake.threads),
    )
    write_table(rows, snakemake.output.table)
