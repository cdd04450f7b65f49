"""Single neurons under local transformations: closed forms and hand-made neurons."""

import math

import pytest
import torch
from torch import nn

from diffeo_stability import build_network, remap
from diffeo_stability.core.bootstrap import percentile_interval
from diffeo_stability.core.cropping import Place, views_of
from diffeo_stability.core.neurons import (
    Responses,
    average_alphas,
    changing_norms,
    linear_norms,
    measure_responses,
    unit_transformations,
)
from diffeo_stability.core.receptive_fields import middle_place

SIZE = 15


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def derivative_neurons():
    """Two channels that measure the slope of the image along x and along y, and are never negative."""
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU()).double()
    along_x = torch.tensor([[0.0, 0, 0], [-0.5, 0, 0.5], [0, 0, 0]], dtype=torch.float64)
    with torch.no_grad():
        network[0].weight.copy_(torch.stack((along_x, along_x.T))[:, None])
        network[0].bias.fill_(100)
    return network.eval()


@pytest.fixture(scope="module")
def ramps():
    """Images that rise linearly, and their slopes ``(P, 2)``."""
    slopes = torch.randn(400, 2, generator=seeded(1), dtype=torch.float64)
    pixel = torch.arange(SIZE, dtype=torch.float64)
    x, y = slopes[:, 0, None, None] * pixel, slopes[:, 1, None, None] * pixel[:, None]
    return (x + y)[:, None], slopes


def alphas_of(network, images, places, *, norm=None):
    """Mean alpha by transformation and channel, all patches, at a displacement of 1 or of a norm."""
    views = views_of(network, nn.ReLU, images.shape[-1], images.shape[1])
    norms = None if norm is None else {name: torch.full((1, 3, len(places)), norm).double() for name in views}
    responses = measure_responses(
        network,
        views,
        dict.fromkeys(views, places),
        images,
        unit_transformations(len(images), seeded()),
        norms=norms,
    )
    measured = responses[next(iter(views))]
    alphas = measured.moved.mean((1, 2)) / (2 * measured.still.var(0)).mean(0)
    return dict(zip(("translation", "rotation", "compression", "pure_shear"), alphas, strict=True))


def test_a_slope_is_invariant_to_translations_and_turns_with_rotations(ramps):
    """An affine displacement turns the slope g of a linear image into (1 - U)^T g; bilinear interpolation is exact on it."""
    images, slopes = ramps
    places = [Place(SIZE // 2, SIZE // 2), Place(5, 8)]
    alphas = alphas_of(derivative_neurons(), images, places)
    spread = 2 * slopes.var(0)
    # A field of norm u displaces the nine pixels of the filter by u sqrt(2 / 3), root mean square
    entry = 3 / 4  # u^2 / 2 at a displacement of 1
    assert alphas["translation"].max() < 1e-20
    torch.testing.assert_close(alphas["rotation"], entry * slopes.square().mean(0).flip(0) / spread, rtol=1e-6, atol=0)
    torch.testing.assert_close(alphas["compression"], entry * slopes.square().mean(0) / spread, rtol=1e-6, atol=0)
    angles = 2 * math.pi * torch.rand(2, len(images), generator=seeded(), dtype=torch.float64)[1]
    cosine, sine = (2 * angles).cos(), (2 * angles).sin()
    turned = torch.stack((cosine * slopes[:, 0] + sine * slopes[:, 1], sine * slopes[:, 0] - cosine * slopes[:, 1]), 1)
    torch.testing.assert_close(alphas["pure_shear"], entry * turned.square().mean(0) / spread, rtol=1e-6, atol=0)


def test_norms_that_are_given_are_those_of_the_fields(ramps):
    images, slopes = ramps
    alphas = alphas_of(derivative_neurons(), images, [Place(7, 7)], norm=0.2)
    expected = 0.2**2 / 2 * slopes.square().mean(0) / (2 * slopes.var(0))
    torch.testing.assert_close(alphas["compression"], expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ["relu1", "relu4", "relu6"])
def test_all_linear_transformations_displace_what_a_place_depends_on_alike(name):
    """Also where the receptive field reaches over the image's border."""
    view = views_of(build_network("vgg11", 1, 28, 10, width=0.0625), nn.ReLU, 28, 1)[name]
    places = [place for place in view.places[::7] if view.offsets(place).numel()]
    norms = linear_norms(view, places, 1.5)
    for kind, field in unit_transformations(3, seeded()).items():
        for place, norm in zip(places, norms, strict=True):
            displaced = view.offsets(place).flatten(0, 1) @ (norm * field.matrices).mT
            if kind != "translation":
                assert displaced.square().sum(-1).mean(-1).sqrt() == pytest.approx(1.5, rel=1e-9)


def test_weights_say_over_which_pixels_displacements_are_alike():
    """Each place has weights of its own: of one pixel alone, that moves by the size; of what it does not see, nothing moves."""
    view = views_of(build_network("vgg11", 1, 28, 10, width=0.0625), nn.ReLU, 28, 1)["relu3"]
    row, column = middle_place(view)
    places = [Place(row, column), Place(0, column), Place(row - 1, column + 1)]
    everywhere = linear_norms(view, places, 1.0)
    torch.testing.assert_close(linear_norms(view, places, 1.0, torch.ones(3, 28, 28)), everywhere)
    points = torch.zeros(3, 28, 28, dtype=torch.float64)
    for of_place, place in zip(points, places, strict=True):
        rows, columns = view.crops(place)
        of_place[rows.start, columns.start] = 3.0
    distances = torch.stack([view.offsets(place)[0, 0].norm() for place in places])
    torch.testing.assert_close(linear_norms(view, places, 1.0, points), math.sqrt(2) / distances)
    unseen = torch.zeros(3, 28, 28, dtype=torch.float64)
    unseen[1, -1, -1] = 1.0
    assert linear_norms(view, places, 1.0, unseen)[1] == 0


def test_changing_norms_change_what_places_see_as_much_as_translations_do(mnist5k):
    view = views_of(build_network("vgg11", 1, 28, 10, width=0.0625), nn.ReLU, 28, 1)["relu3"]
    places, images = view.places[::5], mnist5k.test_images[:30].double() / 255
    transformations = unit_transformations(len(images), seeded())
    norms = changing_norms(view, places, images, transformations, 1.0, batch_size=11)
    torch.testing.assert_close(norms, changing_norms(view, places, images, transformations, 1.0))

    def change_by(field, norm):
        matrices, shifts = (norm * part.expand(len(places), *part.shape) for part in field)
        return float(view.changes(images, places, matrices, shifts).mean())

    translation, *linear = transformations.values()
    for field, norm in zip(linear, norms.tolist(), strict=True):
        assert change_by(field, norm) == pytest.approx(change_by(translation, 1.0), rel=0.01)
    doubled = changing_norms(view, places, 2 * images, transformations, 1.0)
    torch.testing.assert_close(doubled, norms, msg="units of the images do not matter")


def test_where_nothing_changes_no_norm_is_looked_for():
    view = views_of(nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU()), nn.ReLU, 9, 1)["1"]
    blank = torch.ones(4, 1, 9, 9, dtype=torch.float64)
    norms = changing_norms(view, view.places, blank, unit_transformations(4, seeded()), 1.0)
    torch.testing.assert_close(norms, linear_norms(view, view.places[:1], 1.0).expand(3))


def test_ways_are_measured_together_as_one_by_one(ramps):
    images, _ = ramps
    network, places = derivative_neurons(), [Place(7, 7), Place(5, 8)]
    views = views_of(network, nn.ReLU, SIZE, 1)
    fields = unit_transformations(len(images), seeded())
    ways = torch.rand(2, 3, 2, generator=seeded(), dtype=torch.float64)

    def moved(norms):
        return measure_responses(network, views, {"1": places}, images, fields, norms={"1": norms})["1"].moved

    together, first, second = moved(ways), moved(ways[:1]), moved(ways[1:])
    torch.testing.assert_close(together, torch.cat((first, second[1:])))


def test_unit_transformations_have_norm_one_and_all_directions():
    fields = unit_transformations(2000, seeded())
    torch.testing.assert_close(fields["translation"].shifts.norm(dim=1), torch.ones(2000, dtype=torch.float64))
    assert not fields["translation"].matrices.any()
    for kind in ("rotation", "compression", "pure_shear"):
        matrices, shifts = fields[kind]
        torch.testing.assert_close(matrices.flatten(1).norm(dim=1), torch.ones(2000, dtype=torch.float64))
        assert not shifts.any()
        assert matrices.mean(0).abs().max() < 5 / math.sqrt(2 * 2000)
    assert fields["translation"].shifts.mean(0).abs().max() < 5 / math.sqrt(2 * 2000)


def test_neurons_are_measured_as_the_naive_way_does(mnist5k):
    """One pass of the whole displaced image for every image, place and transformation, in double precision."""
    torch.manual_seed(0)
    network = build_network("vgg11_bn", 1, 28, 10, width=0.0625).double().eval()
    images = torch.randn(5, 1, 28, 28, dtype=torch.float64)
    views = {"relu4": views_of(network, nn.ReLU, 28, 1)["relu4"]}
    places = [Place(0, 3), Place(4, 4), Place(7, 0)]
    transformations = unit_transformations(5, seeded())
    measured = measure_responses(network, views, {"relu4": places}, images, transformations, batch_size=2)["relu4"]
    view, upto = views["relu4"], network[: list(dict(network.named_children())).index("relu4") + 1]
    norms = linear_norms(view, places, 1.0)
    pixel = torch.arange(28.0, dtype=torch.float64)
    for number, place in enumerate(places):
        centre = view.columns.centre(place.column), view.rows.centre(place.row)
        offsets = torch.stack(torch.meshgrid(pixel - centre[0], pixel - centre[1], indexing="xy"))
        for kind, (matrices, shifts) in enumerate(transformations.values()):
            field = norms[number] * torch.einsum("pab,byx->payx", matrices, offsets) + shifts[:, :, None, None]
            with torch.no_grad():
                still, moved = (upto(some)[:, :, *place] for some in (images, remap(images, field)))
            scale = float(still.abs().max())
            torch.testing.assert_close(measured.still[:, number], still, rtol=1e-9, atol=1e-12 * scale)
            torch.testing.assert_close(
                measured.moved[kind, :, number], (moved - still).square(), rtol=1e-9, atol=1e-12 * scale**2
            )


def hand_made_responses():
    """Four images, one place, three channels; one transformation that moves by the image's number."""
    still = torch.tensor([[1.0, 0, 5], [2, 0, 5], [3, 0, 5], [6, 9, 5]])[:, None]
    moved = torch.arange(1.0, 5)[:, None, None].expand(4, 1, 3).square()[None]
    return Responses(still, moved)


def test_choices_of_patches():
    """Of the three channels the second responds to one patch in four only, and the third to all alike."""
    alphas = average_alphas(hand_made_responses(), responding=0.5, top=2, resamples=100, generator=seeded())
    assert (alphas.neurons, alphas.left_out) == (1, 2)
    every, top = (2 * torch.tensor(responses).double().var() for responses in ([1.0, 2, 3, 6], [3.0, 6]))
    alpha = [[(1 + 4 + 9 + 16) / 4 / every], [16 / top], [(9 + 16) / 2 / top]]
    torch.testing.assert_close(alphas.values, torch.tensor(alpha, dtype=torch.float64))
    both = average_alphas(hand_made_responses(), responding=0.25, top=2, resamples=100, generator=seeded())
    assert (both.neurons, both.left_out) == (2, 1)


@pytest.mark.parametrize(("responding", "neurons"), [(0.05, 1), (0.02, 2)])
def test_a_neuron_that_is_always_on_but_never_otherwise_is_left_out(responding, neurons):
    """On blank patches: one of forty with a stroke in it would decide the layer."""
    still = torch.full((40, 1, 2), 5.0)
    still[0, 0, 0] = 5.5
    still[:, 0, 1] = torch.linspace(4, 5, 40)
    moved = torch.ones(1, 40, 1, 2)
    alphas = average_alphas(Responses(still, moved), responding=responding, top=2, resamples=100, generator=seeded())
    assert alphas.neurons == neurons


def test_the_strongest_of_all_patches_are_all_patches():
    still, moved = torch.rand(9, 2, 5, generator=seeded()), torch.rand(3, 9, 2, 5, generator=seeded(1))
    alphas = average_alphas(Responses(still, moved), responding=0, top=len(still), resamples=100, generator=seeded())
    torch.testing.assert_close(alphas.values[2], alphas.values[0])
    torch.testing.assert_close(alphas.resampled[2], alphas.resampled[0])


def test_a_neuron_that_responds_alike_to_its_strongest_patches_does_not_decide_a_layer():
    still = torch.tensor([[1.0, 3], [2, 3], [3, 3], [6, 0]])[:, None]
    alphas = average_alphas(
        Responses(still, torch.ones(1, 4, 1, 2)), responding=0, top=2, resamples=100, generator=seeded()
    )
    every = 2 * still.double().var(0)[0]
    top = 2 * torch.tensor([3.0, 6]).double().var()
    assert float(alphas.values[2]) == pytest.approx(float((1 / every).sum() / (top / every[0])))


def test_where_one_choice_of_patches_has_no_spread_the_others_keep_their_intervals():
    """Neurons that saturate move by nothing between their strongest patches."""
    still = torch.rand(30, 4, 2, generator=seeded()).clamp_max(0.5)
    moved = torch.rand(1, 30, 4, 2, generator=seeded(1))
    alphas = average_alphas(Responses(still, moved), responding=0, top=5, resamples=100, generator=seeded())
    low, high = percentile_interval(alphas.resampled, skip_undefined=True)
    assert float(low[0]) <= float(alphas.values[0]) <= float(high[0])
    assert low[1:].isnan().all() and high[1:].isnan().all()


def test_a_layer_without_a_responding_neuron_has_no_alpha():
    responses = Responses(-torch.ones(4, 1, 3), torch.ones(2, 4, 1, 3))
    alphas = average_alphas(responses, responding=0.1, top=2, resamples=100, generator=seeded())
    assert alphas.values.isnan().all() and (alphas.neurons, alphas.left_out) == (0, 3)


def test_intervals_cover_the_mean_over_channels():
    """Of 200 layers of 40 channels, whose alphas are exponential, the interval covers the mean about 95% of the time."""
    generator, covered = seeded(3), 0
    still = torch.randn(50, 1, 40, generator=generator).abs()
    for _ in range(200):
        alpha = torch.empty(40, dtype=torch.float64).exponential_(generator=generator)
        moved = (alpha * 2 * still.double().var(0)).expand(1, 50, 1, 40)
        alphas = average_alphas(
            Responses(still.double(), moved), responding=0, top=50, resamples=300, generator=generator
        )
        low, high = alphas.resampled[0, 0].quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
        covered += bool(low <= 1 <= high)
    assert 0.85 < covered / 200 < 0.99
