"""Turn the weights of a network that is trained already into checkpoints, init and last."""

from functools import partial

from diffeo_stability.architectures import build_network
from diffeo_stability.checkpoints import describe_training
from diffeo_stability.datasets import load_dataset, split_dataset
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.pretrained import import_network, read_weights

with running(snakemake):
    set_up_torch("cpu", snakemake.threads)
    training = snakemake.params.training
    dataset = load_dataset(snakemake.input.dataset)
    described = describe_training(snakemake, dataset)
    network = described["network"]
    import_network(
        partial(build_network, **network),
        read_weights(snakemake.params.weights, network["name"], snakemake.params.downloads),
        split_dataset(dataset, **training["split"]),
        snakemake.output.checkpoints,
        seed=training["seed"],
        metadata={**described, "weights": snakemake.params.weights},
    )
