"""One file per family of networks. A file that is put here is found by :mod:`diffeo_stability.networks.catalogue`."""
