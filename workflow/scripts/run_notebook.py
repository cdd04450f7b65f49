"""Execute the notebook of a figure: its inputs go into a first cell, an executed copy stays as HTML and .ipynb."""

from diffeo_stability.pipeline.interactive import Job
from diffeo_stability.pipeline.jobs import running
from diffeo_stability.pipeline.notebooks import execute

with running(snakemake):
    execute(
        snakemake.input.notebook,
        Job.of(snakemake),
        executed=snakemake.log.notebook,
        html=snakemake.output.html,
        limit=snakemake.config["drawing_limit"],
    )
