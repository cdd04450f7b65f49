"""Measure D, G and R of one trained network, at init and trained."""

from diffeo_stability.config import Probe, Stability
from diffeo_stability.datasets import load_dataset
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.stability import measure_training
from diffeo_stability.tables import write_table

with running(snakemake):
    rows = measure_training(
        snakemake.input.checkpoints,
        load_dataset(snakemake.input.dataset),
        Stability(**snakemake.params.stability),
        Probe(**snakemake.params.probe),
        set_up_torch(snakemake.params.device, snakemake.threads),
    )
    write_table(rows, snakemake.output.table)
