"""Pack the results of a run, with metadata, into an RO-Crate."""

from diffeo_stability.jobs import running
from diffeo_stability.research_object import pack_crate

with running(snakemake):
    inputs = snakemake.input
    pack_crate(
        snakemake.output.crate,
        [inputs.page, inputs.claims, *inputs.tables, *inputs.figures],
        stems=snakemake.params.stems,
        config=snakemake.config,
    )
