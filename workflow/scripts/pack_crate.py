"""Pack the results of a run, with metadata, into an RO-Crate."""

from diffeo_stability.pipeline.crate import pack_crate
from diffeo_stability.pipeline.jobs import running

with running(snakemake):
    inputs = snakemake.input
    pack_crate(
        snakemake.output.crate,
        [inputs.page, inputs.claims, *inputs.tables, *inputs.figures, *inputs.captions],
        workflow=inputs.workflow,
        stems=snakemake.params.stems,
        config=snakemake.config,
    )
