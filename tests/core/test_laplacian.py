"""Eigenspaces of the grid Laplacian in closed form, and a spectrum that knows no basis."""

import math

import pytest
import torch

from diffeo_stability import InputError, laplacian_eigenspaces, laplacian_spectrum


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


def test_bad_shapes_are_named():
    with pytest.raises(InputError, match="size is 0"):
        laplacian_eigenspaces(0)
    with pytest.raises(InputError, match=r"\(\.\.\., k, k\)"):
        laplacian_spectrum(torch.rand(4, 3, 5))
