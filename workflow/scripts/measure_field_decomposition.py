"""Measure translation, rotation, compression and pure shear in the ensemble's fields, and take one patch apart."""

from diffeo_stability.config import FieldDecomposition, Probe
from diffeo_stability.datasets import load_dataset
from diffeo_stability.field_decomposition import measure_field_decomposition
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.tables import write_table
from diffeo_stability.tensors import save_tensors

with running(snakemake):
    set_up_torch("cpu", snakemake.threads)
    rows, pictures = measure_field_decomposition(
        load_dataset(snakemake.input.dataset),
        FieldDecomposition(**snakemake.params.field_decomposition),
        Probe(**snakemake.params.probe),
    )
    save_tensors(pictures, snakemake.output.pictures)
    write_table(rows, snakemake.output.table)
