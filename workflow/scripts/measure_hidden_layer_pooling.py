"""Measure one trained network of one hidden layer at init and trained: its stability, its error, and how it pools."""

from diffeo_stability.config import Probe, Stability
from diffeo_stability.datasets import load_dataset
from diffeo_stability.hidden_layer_pooling import measure_hidden_layer_pooling
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.tables import write_table

with running(snakemake):
    rows, summary = measure_hidden_layer_pooling(
        snakemake.input.checkpoints,
        load_dataset(snakemake.input.dataset),
        snakemake.params.trained_part,
        Stability(**snakemake.params.stability),
        Probe(**snakemake.params.probe),
        set_up_torch(snakemake.params.device, snakemake.threads),
    )
    write_table(summary, snakemake.output.summary)
    write_table(rows, snakemake.output.table)
