"""Bring a data set into one file of the data folder."""

import logging
from pathlib import Path

from diffeo_stability.pipeline.jobs import running

with running(snakemake):
    # Imported in here, where want of memory for torch is one line
    from diffeo_stability.data.prepare import prepare_dataset
    from diffeo_stability.data.store import save_dataset

    dataset = prepare_dataset(folder=Path(snakemake.output.dataset).parent, **snakemake.params.images)
    save_dataset(dataset, snakemake.output.dataset)
    numbers = len(dataset.train_images), len(dataset.test_images), dataset.image_size
    logging.info("%d training and %d test images of %d pixels", *numbers)
