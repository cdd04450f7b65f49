"""Pure parts are recovered exactly, and any gradient is the sum of its orthogonal parts."""

import pytest
import torch

from diffeo_stability import (
    InputError,
    compression_matrix,
    decompose_gradient,
    pure_shear_matrix,
    rotation_matrix,
)

PURE = {
    "compression": compression_matrix(-2.0),
    "rotation": rotation_matrix(2.0),
    "pure_shear": pure_shear_matrix(2.0, 0.4),
}


@pytest.mark.parametrize("part", PURE)
def test_pure_parts_have_their_norm_and_are_recovered(part):
    assert float(PURE[part].norm()) == pytest.approx(2)
    for name, found in decompose_gradient(PURE[part])._asdict().items():
        torch.testing.assert_close(found, PURE[part] if name == part else torch.zeros(2, 2, dtype=torch.float64))


def test_parts_are_orthogonal_and_add_up(generator):
    gradients = torch.randn(5, 3, 2, 2, generator=generator, dtype=torch.float64)
    parts = decompose_gradient(gradients)
    torch.testing.assert_close(sum(parts), gradients)
    total = sum(part.square().sum((-2, -1)) for part in parts)
    torch.testing.assert_close(total, gradients.square().sum((-2, -1)))


def test_a_rotation_turns_x_towards_y():
    assert (rotation_matrix() @ torch.tensor([1.0, 0.0], dtype=torch.float64))[1] > 0


def test_other_shapes_are_named():
    with pytest.raises(InputError, match="must be"):
        decompose_gradient(torch.rand(3, 2))
