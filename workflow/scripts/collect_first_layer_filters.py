"""Put the Gabor fits of every network into one table, and compare trained filters with their nulls."""

from diffeo_stability.config import Probe
from diffeo_stability.first_layer_filters import compare_with_nulls
from diffeo_stability.jobs import running
from diffeo_stability.tables import concatenate, write_table

with running(snakemake):
    table = concatenate(snakemake.input.tables)
    write_table(table, snakemake.output.table)
    write_table(compare_with_nulls(table, Probe(**snakemake.params.probe)), snakemake.output.summary)
