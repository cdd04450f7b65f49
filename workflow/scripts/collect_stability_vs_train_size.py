"""Put the stability of networks trained on different numbers of images into one table."""

from diffeo_stability.jobs import running
from diffeo_stability.stability_vs_train_size import learning_curves
from diffeo_stability.tables import concatenate, write_table

with running(snakemake):
    write_table(learning_curves(concatenate(snakemake.input.tables)), snakemake.output.table)
