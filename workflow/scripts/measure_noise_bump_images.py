"""Put noise of norms below, at and above the bump on images, and have the trained network predict them."""

from diffeo_stability.config import NoiseBumpImages, Probe
from diffeo_stability.datasets import load_dataset
from diffeo_stability.jobs import running, set_up_torch
from diffeo_stability.noise_bump_images import measure_noise_bump_images
from diffeo_stability.tables import read_table, write_table
from diffeo_stability.tensors import save_tensors

with running(snakemake):
    rows, pictures = measure_noise_bump_images(
        snakemake.input.checkpoints,
        load_dataset(snakemake.input.dataset),
        read_table(snakemake.input.bumps),
        NoiseBumpImages(**snakemake.params.noise_bump_images),
        Probe(**snakemake.params.probe),
        set_up_torch("cpu", snakemake.threads),
    )
    save_tensors(pictures, snakemake.output.pictures)
    write_table(rows, snakemake.output.table)
