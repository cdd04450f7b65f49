"""Measure the receptive fields of one trained network's layers, and rotations about other centres, at init and trained."""

from diffeo_stability.config import Probe, ReceptiveFields
from diffeo_stability.datasets import load_dataset
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.receptive_fields import measure_receptive_fields
from diffeo_stability.tables import write_table
from diffeo_stability.tensors import save_tensors

with running(snakemake):
    rows, summary, pictures = measure_receptive_fields(
        snakemake.input.checkpoints,
        load_dataset(snakemake.input.dataset),
        ReceptiveFields(**snakemake.params.receptive_fields),
        Probe(**snakemake.params.probe),
        set_up_torch(snakemake.params.device, snakemake.threads),
    )
    save_tensors(pictures, snakemake.output.pictures)
    write_table(summary, snakemake.output.summary)
    write_table(rows, snakemake.output.table)
