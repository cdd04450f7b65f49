"""Put what was measured on every network into one table, and its summary, where there is one, into another."""

from diffeo_stability.jobs import running
from diffeo_stability.tables import concatenate, write_table

with running(snakemake):
    write_table(concatenate(snakemake.input.tables), snakemake.output.table)
    if "summary" in snakemake.output.keys():  # noqa: SIM118 - not a mapping
        write_table(concatenate(snakemake.input.summaries), snakemake.output.summary)
