"""Put what was measured on every network into a figure's table, and its summary, where there is one, into another."""

from diffeo_stability.figures import FIGURES
from diffeo_stability.pipeline.jobs import running
from diffeo_stability.pipeline.tables import concatenate, write_parts

with running(snakemake):
    figure = FIGURES[snakemake.params.stem]
    summary = concatenate(snakemake.input.summary) if "summary" in dict(snakemake.input.items()) else None
    collected = figure.collect(concatenate(snakemake.input.table), summary)
    write_parts(collected, snakemake.output)
