"""Measure one network after every operation: at init, trained, and trained with its channels shuffled."""

from diffeo_stability.channel_shuffling import measure_channel_shuffling
from diffeo_stability.config import ChannelShuffling, Probe, Stability
from diffeo_stability.datasets import load_dataset
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.tables import write_table

with running(snakemake):
    rows, summary = measure_channel_shuffling(
        snakemake.input.checkpoints,
        load_dataset(snakemake.input.dataset),
        ChannelShuffling(**snakemake.params.channel_shuffling),
        Stability(**snakemake.params.stability),
        Probe(**snakemake.params.probe),
        set_up_torch(snakemake.params.device, snakemake.threads),
    )
    write_table(rows, snakemake.output.table)
    write_table(summary, snakemake.output.summary)
