"""Correlate test error with R, D and G over networks."""

from diffeo_stability.jobs import running
from diffeo_stability.stability_vs_error import correlate
from diffeo_stability.tables import read_table, write_table

with running(snakemake):
    table = correlate(read_table(snakemake.input.stability), **snakemake.params.correlation)
    write_table(table, snakemake.output.table)
