"""Eigenspaces of the grid Laplacian in closed form, and a spectrum that knows no basis."""

import copy
import math

import pytest
import torch
from trainings import save_training

from diffeo_stability import InputError, build_network, laplacian_eigenspaces, laplacian_spectrum
from diffeo_stability.figures.laplacian_spectra.measurement import measure_laplacian_spectra
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe

NETWORK = {"name": "vgg11", "in_channels": 1, "image_size": 28, "classes": 10, "width": 0.0625, "filter_size": 5}
PROBE = Probe(resamples=200)


def grid_laplacian(size):
    """Degree minus adjacency of the grid, vertex by vertex."""
    matrix = torch.zeros(size**2, size**2, dtype=torch.float64)
    for y in range(size):
        for x in range(size):
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                if 0 <= y + dy < size and 0 <= x + dx < size:
                    matrix[y * size + x, y * size + x] += 1
                    matrix[y * size + x, (y + dy) * size + x + dx] -= 1
    return matrix


def test_eigenvalues_of_3x3():
    spaces = laplacian_eigenspaces(3)
    assert [value for value, _ in spaces] == pytest.approx([0, 1, 2, 3, 4, 6])
    assert [len(basis) for _, basis in spaces] == [1, 2, 1, 2, 2, 1]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_bases_are_orthonormal_eigenvectors(size):
    spaces = laplacian_eigenspaces(size)
    everything = torch.cat([basis for _, basis in spaces]).flatten(1)
    torch.testing.assert_close(everything @ everything.T, torch.eye(size**2, dtype=torch.float64))
    for value, basis in spaces:
        torch.testing.assert_close(basis.flatten(1) @ grid_laplacian(size), value * basis.flatten(1))


def test_eigenvectors_of_3x3_are_products_of_cosines():
    """Each product of a cosine along y and one along x lies in the eigenspace of the sum of their eigenvalues."""
    spaces = {round(value): basis.flatten(1) for value, basis in laplacian_eigenspaces(3)}
    for i, along_y in enumerate((0, 1, 3)):
        for j, along_x in enumerate((0, 1, 3)):
            product = torch.tensor(
                [
                    [math.cos(math.pi * i * (y + 0.5) / 3) * math.cos(math.pi * j * (x + 0.5) / 3) for x in range(3)]
                    for y in range(3)
                ],
                dtype=torch.float64,
            ).flatten()
            basis = spaces[along_y + along_x]
            torch.testing.assert_close(basis.T @ (basis @ product), product)


def test_spectrum_does_not_depend_on_the_basis_of_an_eigenspace(generator, monkeypatch):
    filters = torch.randn(20, 3, 5, 5, generator=generator, dtype=torch.float64)
    expected = laplacian_spectrum(filters)

    def turned(size):
        for value, basis in laplacian_eigenspaces(size):
            turn, _ = torch.linalg.qr(torch.randn(len(basis), len(basis), generator=generator, dtype=torch.float64))
            yield value, torch.einsum("ab,byx->ayx", turn, basis)

    monkeypatch.setattr("diffeo_stability.core.laplacian.laplacian_eigenspaces", turned)
    torch.testing.assert_close(laplacian_spectrum(filters), expected)


def test_spectrum_of_a_planted_filter_and_its_quarter_turn():
    spaces = laplacian_eigenspaces(3)
    filters = 2 * spaces[1][1][0] + 3 * spaces[5][1][0]
    expected = torch.tensor([0, 4 / 2, 0, 0, 0, 9], dtype=torch.float64)
    torch.testing.assert_close(laplacian_spectrum(filters), expected)
    # A quarter turn rotates the basis inside each degenerate eigenspace
    torch.testing.assert_close(laplacian_spectrum(filters.rot90()), expected)


def test_spectrum_is_the_energy_spread_over_eigenspaces(generator):
    filters = torch.randn(7, 4, 5, 5, generator=generator, dtype=torch.float64)
    sizes = torch.tensor([len(basis) for _, basis in laplacian_eigenspaces(5)])
    total = (laplacian_spectrum(filters) * sizes).sum()
    torch.testing.assert_close(total, filters.square().sum((-2, -1)).mean())


@torch.no_grad()
def with_doubled_means(network, channels=slice(None)):
    """The network with the constant component of its filters doubled, in all output channels or in some."""
    changed = copy.deepcopy(network)
    for module in changed.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight[channels] += module.weight[channels].mean((-2, -1), keepdim=True)
    return changed


def test_doubled_constant_components_have_ratio_4(tmp_path):
    torch.manual_seed(0)
    network = build_network(**NETWORK)
    save_training(tmp_path, [network, with_doubled_means(network)], NETWORK)
    rows = measure_laplacian_spectra(Given(probe=PROBE, checkpoints=tmp_path)).table
    layers = [f"conv{index}" for index in range(1, 9)]
    assert list(dict.fromkeys(row["layer"] for row in rows)) == layers
    assert {row["layer_index"] for row in rows if row["layer"] == "conv3"} == {3}
    assert {(row["epoch"], row["step"]) for row in rows} == {(0, 0), (1, 10)}
    first = [row for row in rows if row["layer"] == "conv1" and row["epoch"] == 1]
    assert sum(row["multiplicity"] for row in first) == 25
    for row in rows:
        expected = 4 if row["epoch"] == 1 and row["eigenvalue"] < 1e-9 else 1
        for column in ("ratio", "ratio_low", "ratio_high"):
            assert row[column] == pytest.approx(expected, rel=1e-5)
        assert row["c"] > 0


def test_intervals_hold_the_ratio_and_are_the_same_every_time(tmp_path):
    """Half of the channels change: every resample draws another share of them, so that the interval has a width."""
    torch.manual_seed(0)
    network = build_network(**NETWORK)
    save_training(tmp_path, [network, with_doubled_means(network, slice(None, None, 2))], NETWORK)
    rows = measure_laplacian_spectra(Given(probe=PROBE, checkpoints=tmp_path)).table
    for row in rows:
        if row["epoch"] == 1 and row["eigenvalue"] < 1e-9:
            assert 1 - 1e-12 <= row["ratio_low"] < row["ratio"] < row["ratio_high"] <= 4.001
    assert rows == measure_laplacian_spectra(Given(probe=PROBE, checkpoints=tmp_path)).table


def test_networks_without_square_filters_are_named(tmp_path):
    arguments = {"name": "fully_connected_2", "in_channels": 1, "image_size": 28, "classes": 10, "width": 0.1}
    save_training(tmp_path, [build_network(**arguments)], arguments)
    with pytest.raises(InputError, match="no convolution with square filters.*laplacian_spectra.networks"):
        measure_laplacian_spectra(Given(probe=PROBE, checkpoints=tmp_path))


def test_bad_shapes_are_named():
    with pytest.raises(InputError, match="size is 0"):
        laplacian_eigenspaces(0)
    with pytest.raises(InputError, match=r"\(\.\.\., k, k\)"):
        laplacian_spectrum(torch.rand(4, 3, 5))
