"""The mathematics: deformations, stability measures, spectra. It knows torch, numpy and scipy, and nothing of the project."""
