"""Write a run as one HTML page: figures at a glance, claims, networks, then figures with captions and where they come from."""

from pathlib import Path

from diffeo_stability.pipeline.jobs import running
from diffeo_stability.pipeline.report import write_report

with running(snakemake):
    write_report(
        snakemake.output.page,
        template=snakemake.input.template,
        claims=snakemake.input.claims,
        stems=snakemake.params.stems,
        trainings=snakemake.params.trainings,
        captions=Path(snakemake.input.captions[0]).parent,
        introduction=snakemake.input.introduction,
        figures=Path(snakemake.input.figures[0]).parent,
        tables=Path(snakemake.input.claims).parent,
        config=snakemake.config,
    )
