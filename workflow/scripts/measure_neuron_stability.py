"""Measure how much the neurons of one trained network move with local transformations, at init and trained."""

from diffeo_stability.config import NeuronStability, Probe
from diffeo_stability.datasets import load_dataset
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.neuron_stability import measure_neuron_stability
from diffeo_stability.tables import write_table

with running(snakemake):
    rows, summary = measure_neuron_stability(
        snakemake.input.checkpoints,
        load_dataset(snakemake.input.dataset),
        NeuronStability(**snakemake.params.neuron_stability),
        Probe(**snakemake.params.probe),
        set_up_torch(snakemake.params.device, snakemake.threads),
    )
    write_table(summary, snakemake.output.summary)
    write_table(rows, snakemake.output.table)
