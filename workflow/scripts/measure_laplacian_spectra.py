"""Measure the Laplacian components of one network's filters at every checkpoint of its training."""

from diffeo_stability.config import Probe
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.laplacian_spectra import measure_laplacian_spectra
from diffeo_stability.tables import write_table

with running(snakemake):
    set_up_torch("cpu", snakemake.threads)
    rows = measure_laplacian_spectra(snakemake.input.checkpoints, Probe(**snakemake.params.probe))
    write_table(rows, snakemake.output.table)
