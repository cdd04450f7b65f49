"""Fit a Gabor function to every first-layer filter of one trained network, at init and trained."""

from diffeo_stability.first_layer_filters import measure_first_layer_filters
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.tables import write_table
from diffeo_stability.tensors import save_tensors

with running(snakemake):
    set_up_torch("cpu", snakemake.threads)
    rows, pictures = measure_first_layer_filters(snakemake.input.checkpoints)
    save_tensors(pictures, snakemake.output.pictures)
    write_table(rows, snakemake.output.table)
