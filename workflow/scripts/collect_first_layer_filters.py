"""Put the Gabor fits of every network into one table, and compare trained with untrained filters."""

from diffeo_stability.first_layer_filters import compare_with_untrained
from diffeo_stability.jobs import running
from diffeo_stability.tables import concatenate, write_table

with running(snakemake.log[0]):
    table = concatenate(snakemake.input.tables)
    write_table(table, snakemake.output.table)
    write_table(compare_with_untrained(table), snakemake.output.summary)
