"""Measure D and G of one trained network against the norm of the perturbation, at init and trained."""

from diffeo_stability.config import NoiseCurves, Probe
from diffeo_stability.datasets import load_dataset
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.noise_curves import measure_noise_curves
from diffeo_stability.tables import write_table

with running(snakemake):
    rows, summary = measure_noise_curves(
        snakemake.input.checkpoints,
        load_dataset(snakemake.input.dataset),
        NoiseCurves(**snakemake.params.noise_curves),
        Probe(**snakemake.params.probe),
        set_up_torch(snakemake.params.device, snakemake.threads),
    )
    write_table(rows, snakemake.output.table)
    write_table(summary, snakemake.output.summary)
