"""Bring a data set into one file of the data folder."""

from pathlib import Path

from diffeo_stability.datasets import prepare_dataset, save_dataset
from diffeo_stability.jobs import running

with running(snakemake):
    dataset = prepare_dataset(
        snakemake.params.source,
        Path(snakemake.output.dataset).parent,
        path=snakemake.params.path,
        image_size=snakemake.params.image_size,
        mirror=snakemake.params.mirror,
        test_only=snakemake.params.test_only,
        normalisation=snakemake.params.normalisation,
    )
    save_dataset(dataset, snakemake.output.dataset)
    print(
        f"{len(dataset.train_images)} training and {len(dataset.test_images)} test images of {dataset.image_size} pixels"
    )
