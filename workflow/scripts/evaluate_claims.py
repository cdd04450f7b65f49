"""Measure the decks' claims from the tables of a run."""

from pathlib import Path

from diffeo_stability.pipeline.claims import Tables, evaluate_claims, load_claims
from diffeo_stability.pipeline.jobs import running
from diffeo_stability.pipeline.params import read_param
from diffeo_stability.pipeline.tables import write_table

with running(snakemake):
    # Of this run's figures alone: tables of figures that it made before, with another configuration, may lie beside them
    tables = Tables({Path(path).stem: path for path in snakemake.input.tables})
    found = evaluate_claims(load_claims(snakemake.input.claims), tables, read_param(snakemake.params.labels))
    write_table(found, snakemake.output.table)
