"""Put the stability of every network into one table."""

from diffeo_stability.jobs import running
from diffeo_stability.tables import concatenate, write_table

with running(snakemake.log[0]):
    write_table(concatenate(snakemake.input.tables), snakemake.output.table)
