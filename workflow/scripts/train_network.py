"""Train one variant of a network, from its data set to its checkpoints and history."""

from functools import partial

from diffeo_stability.architectures import build_network
from diffeo_stability.checkpoints import describe_training
from diffeo_stability.config import Recipe
from diffeo_stability.datasets import load_dataset, split_dataset
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.records import hashes_of
from diffeo_stability.tables import write_table
from diffeo_stability.training import train_network

with running(snakemake):
    device = set_up_torch(snakemake.params.device, snakemake.threads)
    training = snakemake.params.training
    dataset = load_dataset(snakemake.input.dataset)
    described = describe_training(snakemake, dataset)
    history = train_network(
        partial(build_network, **described["network"]),
        split_dataset(dataset, **training["split"]),
        Recipe(**training["recipe"]),
        snakemake.output.checkpoints,
        seed=training["seed"],
        checkpoints=training["checkpoints"],
        metadata={**described, "own_code": hashes_of(snakemake.input.network)},
        device=device,
    )
    write_table([vars(epoch) for epoch in history], snakemake.output.history)
