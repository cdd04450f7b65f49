"""Execute the notebook of a figure: its inputs go into a first cell, an executed copy stays as HTML and .ipynb."""

from diffeo_stability.interactive import Job
from diffeo_stability.jobs import in_one_line, recorded
from diffeo_stability.notebooks import execute

with in_one_line(), recorded(snakemake):
    execute(
        snakemake.input.notebook,
        Job.of(snakemake),
        executed=snakemake.log.notebook,
        html=snakemake.output.html,
    )
