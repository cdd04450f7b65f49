"""Measure the power spectra of one trained network's activations after every operation, at init and trained."""

from diffeo_stability.activation_spectra import measure_activation_spectra
from diffeo_stability.config import Probe
from diffeo_stability.datasets import load_dataset
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.tables import write_table

with running(snakemake):
    rows, summary = measure_activation_spectra(
        snakemake.input.checkpoints,
        load_dataset(snakemake.input.dataset),
        Probe(**snakemake.params.probe),
        set_up_torch(snakemake.params.device, snakemake.threads),
    )
    write_table(rows, snakemake.output.table)
    write_table(summary, snakemake.output.summary)
