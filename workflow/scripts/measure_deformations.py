"""Measure the ensemble of deformations over cutoff and temperature, and deform one image at each."""

from diffeo_stability.config import Deformations, Probe
from diffeo_stability.datasets import load_dataset
from diffeo_stability.deformations import measure_ensemble
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.tables import write_table
from diffeo_stability.tensors import save_tensors

with running(snakemake):
    set_up_torch("cpu", snakemake.threads)
    rows, pictures = measure_ensemble(
        load_dataset(snakemake.input.dataset),
        Deformations(**snakemake.params.deformations),
        Probe(**snakemake.params.probe),
    )
    save_tensors(pictures, snakemake.output.pictures)
    write_table(rows, snakemake.output.table)
