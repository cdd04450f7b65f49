"""Measure a figure: on one training, or once for the run."""

from diffeo_stability.figures import FIGURES
from diffeo_stability.pipeline.jobs import running
from diffeo_stability.pipeline.measuring import given_to
from diffeo_stability.pipeline.tables import write_parts

with running(snakemake):
    figure = FIGURES[snakemake.params.stem]
    write_parts(figure.measure(given_to(snakemake)), snakemake.output)
