"""Train one variant of a network, from its data set to its checkpoints and history."""

from functools import partial

from diffeo_stability.pipeline.jobs import check_own_network, describe_training, origin, running, set_up_torch
from diffeo_stability.pipeline.tables import write_table

with running(snakemake):
    # Imported in here, where want of memory for torch is one line
    from diffeo_stability.data.datasets import split_dataset
    from diffeo_stability.data.store import load_dataset
    from diffeo_stability.networks.build import build_network
    from diffeo_stability.networks.settings import Recipe
    from diffeo_stability.networks.training import train_network

    device = set_up_torch(snakemake.params.device, snakemake.threads)
    training = snakemake.params.training
    dataset = load_dataset(snakemake.input.dataset)
    described = describe_training(snakemake, dataset)
    check_own_network(described["network"])
    history = train_network(
        partial(build_network, **described["network"]),
        split_dataset(dataset, **training["split"]),
        Recipe(**training["recipe"]),
        snakemake.output.checkpoints,
        seed=training["seed"],
        checkpoints=training["checkpoints"],
        metadata=described,
        origin=origin(),
        code=snakemake.params.code + snakemake.params.network,
        device=device,
    )
    write_table([vars(epoch) for epoch in history], snakemake.output.history)
