"""Fill in the captions of a run's figures from its tables."""

from pathlib import Path

from diffeo_stability.pipeline.captions import write_captions
from diffeo_stability.pipeline.claims import Tables
from diffeo_stability.pipeline.jobs import running

with running(snakemake):
    write_captions(
        Path(snakemake.output.captions[0]).parent,
        templates=Path(snakemake.input.templates[0]).parent,
        stems=snakemake.params.stems,
        tables=Tables({Path(path).stem: path for path in snakemake.input.tables}),
        config=snakemake.config,
        labels=snakemake.params.labels,
    )
