"""Turn the weights of a network that is trained already into checkpoints, init and last."""

from functools import partial

from diffeo_stability.pipeline.jobs import check_own_network, describe_training, origin, running, set_up_torch

with running(snakemake):
    # Imported in here, where want of memory for torch is one line
    from diffeo_stability.data.datasets import split_dataset
    from diffeo_stability.data.store import load_dataset
    from diffeo_stability.networks.build import build_network
    from diffeo_stability.networks.weights import import_network, read_weights

    set_up_torch("cpu", snakemake.threads)
    training = snakemake.params.training
    dataset = load_dataset(snakemake.input.dataset)
    described = describe_training(snakemake, dataset)
    check_own_network(described["network"])
    network = described["network"]
    import_network(
        partial(build_network, **network),
        read_weights(snakemake.params.weights, network["name"], f"{snakemake.config['data_dir']}/weights"),
        split_dataset(dataset, **training["split"]),
        snakemake.output.checkpoints,
        seed=training["seed"],
        metadata={**described, "weights": snakemake.params.weights, **origin()},
        init=snakemake.params.init,
    )
