"""D, G and R against closed forms, symmetries and statistical bounds."""

import copy
import math

import numpy as np
import pytest
import torch
from IPython.lib import pretty
from torch import Tensor, nn

from diffeo_stability import InputError, deform, relative_stability, stability_by_operation
from diffeo_stability.core.compiled import uncompiled
from diffeo_stability.core.estimates import stability_of
from diffeo_stability.core.operations import is_compiled
from diffeo_stability.core.outputs import measure_distances
from diffeo_stability.core.perturbations import Perturbed, perturbed_batches
from diffeo_stability.core.seeds import generator_for

COUNT = 120


@pytest.fixture
def images(generator):
    return torch.randn(COUNT, 2, 12, 12, generator=generator, dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def linear(outputs, seed=1):
    model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 12 * 12, outputs)).double()
    with torch.no_grad():
        model[1].weight.normal_(generator=seeded(seed))
    return model


def test_linear_map_gives_the_closed_form(images):
    """For f(x) = W x + b every difference is W times the difference of the images, whatever b."""
    model = linear(7)
    weight = model[1].weight.detach()
    batch = next(iter(perturbed_batches(images, batch_size=3 * COUNT, generator=seeded())))
    x, deformed, noisy = (part.flatten(1) for part in batch)
    pairs = ((x[:, None] - x[None]) @ weight.T).square().sum(-1).sum() / (COUNT * (COUNT - 1))
    deformation = ((deformed - x) @ weight.T).square().sum(1).mean() / pairs
    noise = ((noisy - x) @ weight.T).square().sum(1).mean() / pairs
    measured = relative_stability(model, images, generator=seeded())
    assert measured.deformation.value == pytest.approx(float(deformation), rel=1e-10)
    assert measured.noise.value == pytest.approx(float(noise), rel=1e-10)
    assert measured.relative.value == pytest.approx(float(deformation / noise), rel=1e-10)
    median = ((deformed - x) @ weight.T).square().sum(1).quantile(0.5) / pairs
    assert measured.deformation.median == pytest.approx(float(median), rel=1e-10)


def test_noise_of_a_linear_map_is_its_mean_squared_gain(images):
    """Isotropic noise of norm r moves W x by r^2 |W|_F^2 / d on average."""
    model = linear(50)
    batch = next(iter(perturbed_batches(images, batch_size=3 * COUNT, generator=seeded())))
    radius = (batch.noisy - batch.images).flatten(1).norm(dim=1)
    outputs = model(images)
    spread = 2 * COUNT / (COUNT - 1) * (outputs - outputs.mean(0)).square().sum(1).mean()
    expected = radius[0] ** 2 * model[1].weight.square().sum() / (2 * 12 * 12) / spread
    assert relative_stability(model, images, generator=seeded()).noise.value == pytest.approx(
        float(expected.detach()), rel=0.05
    )


def test_relative_stability_is_1_when_the_deformation_is_noise(images):
    first = perturbed_batches(images, batch_size=50, generator=seeded(1))
    second = perturbed_batches(images, batch_size=50, generator=seeded(2))
    noises = (Perturbed(a.images, a.images + (b.noisy - b.images), a.noisy) for a, b in zip(first, second, strict=True))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(800, 10)).double()
    distances = measure_distances(lambda batch, take: take("output", model(torch.cat(batch))), noises, images[:10])
    measured = stability_of(distances, generator=seeded())["output"].relative
    assert measured.low < 1 < measured.high
    assert measured.value == pytest.approx(1, abs=0.1)


def test_identity_has_relative_stability_1_for_noise_of_each_images_norm(images):
    measured = relative_stability(nn.Flatten(), images, noise_norm="per_image", generator=seeded()).relative
    assert measured.value == pytest.approx(1, rel=1e-10)
    assert measured.low == pytest.approx(1, rel=1e-10) and measured.high == pytest.approx(1, rel=1e-10)


def test_noise_has_the_norm_that_was_asked_for(images):
    for noise_norm in ("mean", "per_image"):
        batches = list(perturbed_batches(images, noise_norm=noise_norm, batch_size=50, generator=seeded()))
        noise = torch.cat([(b.noisy - b.images).flatten(1).norm(dim=1) for b in batches])
        displaced = torch.cat([(b.deformed - b.images).flatten(1).norm(dim=1) for b in batches])
        expected = displaced if noise_norm == "per_image" else displaced.mean().expand_as(noise)
        torch.testing.assert_close(noise, expected)


def test_batch_size_changes_nothing(images):
    model = linear(5)
    results = [relative_stability(model, images, batch_size=size, generator=seeded()) for size in (1, 7, 50, 1000)]
    for other in results[1:]:
        for part in ("deformation", "noise", "relative"):
            assert getattr(other, part) == pytest.approx(getattr(results[0], part), rel=1e-9)


def test_same_seed_same_result_other_seed_another(images):
    model = linear(5)
    first, again, other = (relative_stability(model, images, generator=seeded(seed)) for seed in (0, 0, 1))
    assert first == again
    assert first.relative.value != other.relative.value


def test_bootstrap_interval_covers_the_true_value():
    """With 95% intervals, of 60 independent samples between 51 and 60 cover the value of a very large one."""
    model = linear(4)
    truth = relative_stability(
        model,
        torch.randn(6000, 2, 12, 12, dtype=torch.float64, generator=seeded(99)),
        generator=seeded(99),
        resamples=1,
    ).relative.value
    covered = 0
    for seed in range(60):
        sample = torch.randn(COUNT, 2, 12, 12, dtype=torch.float64, generator=seeded(seed))
        measured = relative_stability(model, sample, generator=seeded(seed)).relative
        covered += measured.low <= truth <= measured.high
    assert 51 <= covered <= 60


def test_interval_narrows_with_the_square_root_of_the_images():
    model = linear(4)
    widths = []
    for count in (100, 1600):
        sample = torch.randn(count, 2, 12, 12, dtype=torch.float64, generator=seeded(5))
        measured = relative_stability(model, sample, generator=seeded()).relative
        widths.append(measured.high - measured.low)
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.4)


def test_scale_and_offset_of_the_output_do_not_matter(images):
    model = linear(5)
    plain = relative_stability(model, images, generator=seeded())
    scaled = relative_stability(nn.Sequential(model, _Affine(1e3, 5.0)), images, generator=seeded())
    assert scaled.deformation == pytest.approx(plain.deformation, rel=1e-8)


class _Affine(nn.Module):
    def __init__(self, scale, offset):
        super().__init__()
        self.scale, self.offset = scale, offset

    def forward(self, x):
        return self.scale * x + self.offset


def test_model_is_measured_in_evaluation_mode_and_left_as_it_was(images):
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(288, 3)).double()
    model.train()
    model[1].eval()
    first, second = (relative_stability(model, images, generator=seeded()) for _ in range(2))
    assert first == second
    assert model.training and not model[1].training and model[2].training


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_dtypes_give_the_same_within_their_precision(images, dtype):
    exact = relative_stability(linear(5), images.to(dtype).double(), generator=seeded())
    measured = relative_stability(linear(5).to(dtype), images.to(dtype), generator=seeded())
    # The generator draws other numbers in single precision, so that only the size can agree
    assert measured.relative.value == pytest.approx(exact.relative.value, rel=0.3)


def test_by_operation_equals_the_closed_form_of_a_hand_made_network(images):
    """A convolution that halves and a linear read-out: D, G and R of the first are those of the images themselves."""
    halve = nn.Conv2d(2, 2, 1, bias=False).double()
    with torch.no_grad():
        halve.weight.copy_(0.5 * torch.eye(2)[:, :, None, None])
    readout = linear(6)
    network = nn.Sequential()
    network.add_module("conv1", halve)
    network.add_module("flatten1", nn.Flatten())
    network.add_module("linear1", readout[1])
    measured = stability_by_operation(network, images, generator=seeded(), noise_norm="per_image")
    assert list(measured) == ["conv1", "linear1"]
    assert measured["conv1"].relative.value == pytest.approx(1, rel=1e-10)
    whole = relative_stability(network, images, generator=seeded(), noise_norm="per_image")
    assert measured["linear1"].relative.value == pytest.approx(whole.relative.value, rel=1e-12)


def test_by_operation_sees_outputs_before_an_in_place_operation_overwrites_them(images):
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 4, 3).double(), nn.ReLU(inplace=True)
    network = nn.Sequential(*layers)
    measured = stability_by_operation(network, images, generator=seeded())
    alone = relative_stability(nn.Sequential(layers[0], nn.Flatten()), images, generator=seeded())
    assert measured["0"].relative == pytest.approx(alone.relative)
    assert measured["1"].relative.value != pytest.approx(alone.relative.value, rel=1e-3)


def test_by_operation_tells_the_calls_of_one_module_apart(images):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.relu = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 3, 3), nn.ReLU(inplace=True)

        def forward(self, x):
            return self.relu(self.second(self.relu(self.first(x))))

    torch.manual_seed(0)
    network = Twice().double()
    measured = stability_by_operation(network, images, generator=seeded())
    assert list(measured) == ["first", "relu", "second", "relu#2"]
    assert all(result.images == COUNT for result in measured.values())
    whole = relative_stability(network, images, generator=seeded())
    assert measured["relu#2"].relative.value == pytest.approx(whole.relative.value)


def test_peak_memory_does_not_depend_on_the_number_of_images():
    """No more images than the batch size reach the model at once."""
    seen = []

    class Watch(nn.Module):
        def forward(self, x):
            seen.append(len(x))
            return x.flatten(1)

    relative_stability(Watch(), torch.randn(300, 1, 8, 8, generator=seeded()), batch_size=40, generator=seeded())
    assert max(seen) == 39 and sum(seen) == 3 * 300 + 32 + 31


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("measure", [relative_stability, stability_by_operation])
def test_convolutions_on_a_gpu_keep_all_bits_of_float32_meanwhile(images, measure, allowed, monkeypatch):
    seen = set()

    class Watch(nn.Module):
        def forward(self, x):
            seen.add((torch.backends.cudnn.conv.fp32_precision, torch.backends.cudnn.allow_tf32))
            return x.flatten(1)

    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", allowed)
    before = torch.backends.cudnn.conv.fp32_precision
    measure(nn.Sequential(Watch()), images)
    assert seen == {("ieee", False)}
    assert (torch.backends.cudnn.conv.fp32_precision, torch.backends.cudnn.allow_tf32) == (before, allowed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cutoff": 1}, "cutoff is 1"),
        ({"displacement": 0.0}, "displacement is 0"),
        ({"displacement": math.nan}, "displacement is nan"),
        ({"noise_norm": "median"}, "mean, per_image"),
        ({"interpolation": "cubic"}, "bilinear, nearest, gaussian"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"resamples": 0}, "resamples is 0"),
        ({"confidence": 95}, "between 0 and 1"),
    ],
)
def test_bad_settings_are_named(images, change, message):
    with pytest.raises(InputError, match=message):
        relative_stability(linear(3), images, **change)


def test_bad_images_and_models_are_named(images):
    with pytest.raises(InputError, match="at least 2"):
        relative_stability(linear(3), images[:1])
    with pytest.raises(InputError, match="NaN"):
        relative_stability(linear(3), torch.where(images > 3, torch.nan, images))
    with pytest.raises(InputError, match="floating point"):
        relative_stability(linear(3), images.byte())
    with pytest.raises(InputError, match="same output for every image"):
        relative_stability(_Constant(), images)
    with pytest.raises(InputError, match=r"returned \(\) for"):
        relative_stability(_Total(), images)


class _Constant(nn.Module):
    def forward(self, x):
        return torch.ones(len(x), 3, dtype=x.dtype)


class _Total(nn.Module):
    def forward(self, x):
        return x.sum()


class Shifts(nn.Module):
    """Changes its input in place."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten())

    def forward(self, x):
        x -= 0.5
        return self.features(x)


@pytest.mark.parametrize("batch_norm", ["running", "batch"])
def test_a_model_that_changes_its_input_changes_neither_the_images_nor_the_result(images, batch_norm):
    torch.manual_seed(0)
    model = Shifts().double()
    careful = copy.deepcopy(model)
    careful.forward = lambda x: careful.features((x - 0.5).clone())
    before = images.clone()
    settings = {"resamples": 50, "batch_norm": batch_norm}
    found = relative_stability(model, images, generator=seeded(), **settings).relative.value
    assert torch.equal(images, before)
    assert found == pytest.approx(relative_stability(careful, images, generator=seeded(), **settings).relative.value)
    stability_by_operation(model, images, generator=seeded(), **settings)
    assert torch.equal(images, before)


def test_one_number_per_image_is_a_vector_of_one(images):
    model = nn.Sequential(nn.Conv2d(2, 1, images.shape[-1], dtype=torch.float64), nn.Flatten(0))
    column = nn.Sequential(model[0], nn.Flatten())
    one, other = (relative_stability(net, images, resamples=50, generator=seeded()) for net in (model, column))
    assert one == other


class TokensFirst(nn.Module):
    """Its operation gives as many tokens as the first pass has images, the images along the second axis."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Linear(2 * 12 * 12, 32, dtype=torch.float64)
        self.mix = nn.ReLU()

    def forward(self, x):
        return self.mix(self.tokens(x.flatten(1)).T).T


def test_operations_whose_first_axis_is_not_the_batch_are_left_out():
    images = torch.rand(80, 2, 12, 12, dtype=torch.float64, generator=seeded())
    measured = stability_by_operation(TokensFirst(), images, batch_size=30, resamples=50, generator=seeded())
    assert list(measured) == ["tokens"]


def test_a_model_that_draws_random_numbers_is_named(images, caplog):
    model = nn.Sequential(nn.Flatten(), nn.Linear(288, 4, dtype=torch.float64))
    relative_stability(model, images, resamples=50, generator=seeded())
    assert not caplog.records
    dropped = copy.deepcopy(model)
    dropped.forward = lambda x: nn.functional.dropout(model(x), 0.5)
    relative_stability(dropped, images, resamples=50, generator=seeded())
    assert "the model gives other outputs when it sees the same images again" in caplog.text


class Sometimes(nn.Module):
    """An operation runs for large batches only."""

    def __init__(self):
        super().__init__()
        self.linear, self.rare = nn.Linear(288, 4, dtype=torch.float64), nn.Tanh()

    def forward(self, x):
        x = self.linear(x.flatten(1))
        return self.rare(x) if len(x) > 40 else x


def test_an_operation_that_runs_for_some_images_only_is_named():
    images = torch.rand(80, 2, 12, 12, dtype=torch.float64, generator=seeded())
    with pytest.raises(InputError, match="operation rare runs for some images and not for others"):
        stability_by_operation(Sometimes(), images, batch_size=150, resamples=50, generator=seeded())


def test_a_compiled_model_that_has_run_before_is_measured_on_all_images(images):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 4)).double()
    expected = stability_by_operation(model, images, batch_size=30, resamples=50, generator=seeded())
    compiled = torch.compile(model, backend="eager")
    compiled(images)
    measured = stability_by_operation(compiled, images, batch_size=30, resamples=50, generator=seeded())
    assert list(measured) == list(expected)
    assert [stability.images for stability in measured.values()] == [len(images)] * len(expected)
    for one, other in zip(measured.values(), expected.values(), strict=True):
        assert one.relative.value == pytest.approx(other.relative.value, rel=1e-9)


def test_compiled_parts_are_measured_by_the_names_that_their_author_gave(images):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Sequential(nn.Conv2d(2, 4, 3)), nn.ReLU(), nn.Flatten(), nn.Linear(400, 4)).double()
    expected = stability_by_operation(model, images, resamples=50, generator=seeded())
    model[0][0] = part = torch.compile(model[0][0], backend="eager")
    assert stability_by_operation(model, images, resamples=50, generator=seeded()) == expected
    assert model[0][0] is part
    for compiled in (torch.compile(model, backend="eager"), nn.Sequential(torch.compile(model, backend="eager"))):
        plain = uncompiled(compiled)
        assert not is_compiled(plain) and torch.equal(plain(images), model(images))


def test_settings_are_refused_before_images_are_read(images):
    def unread():
        raise AssertionError("read")
        yield

    for settings in (
        {"cutoff": 1},
        {"interpolation": "cubic"},
        {"resamples": 0},
        {"batch_norm": "own"},
        {"generator": 0},
    ):
        for measure in (relative_stability, stability_by_operation):
            with pytest.raises(InputError, match=f"{next(iter(settings))} is"):
                measure(linear(3), unread(), **settings)
    with pytest.raises(InputError, match="generator is of type Generator: it must be a torch.Generator"):
        relative_stability(linear(3), unread(), generator=np.random.default_rng(0))
    with pytest.raises(InputError, match="generator is of type int"):
        deform(images, generator=0)


def test_what_holds_no_numbers_is_named(images):
    with pytest.raises(InputError, match="the model is on the meta device"):
        relative_stability(linear(3).to("meta"), images)
    for nothing in (images.to("meta"), images.to_sparse()):
        with pytest.raises(InputError, match="they must be a dense tensor of numbers"):
            relative_stability(linear(3), nothing)
    with pytest.raises(InputError, match="the model returned a nested tensor"):
        relative_stability(lambda x: torch.nested.as_nested_tensor(list(x.flatten(1))), images)


def test_results_print_rounded_and_become_a_dictionary(images):
    measured = relative_stability(linear(7), images, resamples=50, generator=seeded())
    assert pretty.pretty(measured) == str(measured)  # as a notebook shows it
    numbers = measured.to_dict()
    assert list(numbers)[:3] == ["D", "G", "R"] and numbers["R_low"] == measured.relative.low
    assert numbers["G_median"] == measured.noise.median and numbers["images"] == COUNT
    assert str(measured).startswith(f"R = {numbers['R']:.3g} ({numbers['R_low']:.3g} to ")
    assert str(measured).endswith(f"on {COUNT} images")


def test_a_displacement_that_folds_the_image_is_named(images, caplog):
    relative_stability(linear(7), images, displacement=1.2, resamples=50)
    assert not caplog.records  # 12 / (3 pi) = 1.27 pixels
    relative_stability(linear(7), images, displacement=1.4, resamples=50)
    assert "displacement 1.4 is beyond 1.27 pixels, up to which fields of cutoff 3 are diffeomorphisms" in caplog.text


@pytest.mark.parametrize("settings", [{"cutoff": 3.0}, {"batch_size": 20.0}, {"resamples": 50.5}, {"cutoff": True}])
def test_numbers_that_must_be_whole_are(images, settings):
    (name,) = settings
    with pytest.raises(InputError, match=f"{name} is .*: it must be a whole number"):
        relative_stability(linear(7), images, **settings)


def test_deformations_and_distances_are_exact_under_autocast():
    images = torch.rand(8, 3, 64, 64, generator=seeded())
    expected = deform(images, displacement=2.0, generator=seeded())
    model = nn.Sequential(nn.AvgPool2d(8), nn.Flatten())
    outside = relative_stability(model, images, resamples=50, generator=seeded()).relative.value
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(deform(images, displacement=2.0, generator=seeded()), expected)
        assert relative_stability(model, images, resamples=50, generator=seeded()).relative.value == outside


def test_a_seed_gives_the_same_result_every_time_and_leaves_torchs_generator_alone(images):
    model, state = linear(5), torch.random.get_rng_state()
    for measure in (relative_stability, stability_by_operation):
        first, again, other = (measure(model, images, seed=seed, resamples=50) for seed in (0, 0, 1))
        assert first == again and first != other
    by_generator = relative_stability(model, images, generator=generator_for("perturbations", 1), resamples=50)
    assert by_generator == relative_stability(model, images, seed=1, resamples=50)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("measure", [relative_stability, stability_by_operation])
def test_a_seed_that_is_none_is_named(images, measure):
    with pytest.raises(InputError, match="seed and generator were both given"):
        measure(linear(5), images, seed=0, generator=seeded())
    for seed in (0.5, "0", True):
        with pytest.raises(InputError, match="seed is .*: it must be a whole number"):
            measure(linear(5), images, seed=seed)


def test_results_by_operation_print_as_a_table(images):
    measured = stability_by_operation(linear(5), images, seed=0, resamples=50)
    measured["a longer name"] = measured["1"]
    assert pretty.pretty(measured) == str(measured)
    assert measured.to_dict()["1"] == measured["1"].to_dict()
    header, first, second = str(measured).splitlines()
    assert header.split() == ["operation", "R", "D", "G"]
    assert first.startswith(
        f"1              {measured['1'].relative}  {measured['1'].deformation}  {measured['1'].noise}"
    )
    assert second.index("(") == first.index("(") and len(second) == len(first)


def first_pixel_in_steps(images):
    """Outputs that hardly move."""
    return torch.round(3 * images.flatten(1)[:, :1].double())


def test_intervals_and_medians_that_mean_nothing_are_said(caplog):
    heard = set()
    for seed, count in enumerate([3, 5, 5, 9, 9, 40, 40]):
        caplog.clear()
        images = torch.randn(count, 1, 12, 12, generator=seeded(seed))
        try:
            measured = relative_stability(first_pixel_in_steps, images, displacement=0.4, seed=0, resamples=200)
        except InputError:  # nothing moved at all
            continue
        estimates = {"D": measured.deformation, "G": measured.noise, "R": measured.relative}
        said = {
            kind: "".join(r.message for r in caplog.records if kind in r.message) for kind in ("interval", "median")
        }
        for symbol, estimate in estimates.items():
            assert math.isfinite(estimate.value)
            meaningless = not 0 <= estimate.low <= estimate.high < math.inf
            assert meaningless == (f"{symbol} of the model" in said["interval"])
            assert math.isfinite(estimate.median) == (f"{symbol} of the model" not in said["median"])
        heard |= {kind for kind in said if said[kind]}
    assert heard == {"interval", "median"}


def test_what_means_nothing_is_said_once_for_all_operations(caplog):
    class Steps(nn.Module):
        def forward(self, images):
            return first_pixel_in_steps(images)

    model = nn.Sequential(Steps(), *(nn.LeakyReLU() for _ in range(3)))
    images = torch.randn(9, 1, 12, 12, generator=seeded(3))
    stability_by_operation(model, images, displacement=0.4, seed=0, resamples=200)
    (line,) = (r.getMessage() for r in caplog.records if "the interval of" in r.getMessage())
    assert "R of operation" in line and "more means nothing" in line


@pytest.mark.fault("unsupported", 2)
def test_complex_outputs_are_refused_and_complex_operations_left_out(images):
    class Fourier(nn.Module):
        def forward(self, x):
            return torch.fft.fft(x.flatten(1))

    with pytest.raises(InputError, match="the model returned complex numbers"):
        relative_stability(Fourier(), images)
    with pytest.raises(InputError, match="no operation"):
        stability_by_operation(nn.Sequential(Fourier()), images)


@pytest.mark.fault("unsupported")
@pytest.mark.parametrize(
    "change", [Tensor.int, lambda x: x > 0, Tensor.to_sparse], ids=["integers", "booleans", "sparse"]
)
def test_outputs_without_distances_are_refused(images, change):
    with pytest.raises(InputError, match="the model returned a tensor of .*: it must return floating-point numbers"):
        relative_stability(lambda x: change(x.flatten(1)), images)


@pytest.mark.fault("unsupported", 2)
@pytest.mark.parametrize(
    "compile_it", [torch.jit.script, lambda net: torch.jit.trace(net, torch.rand(2, 2, 12, 12)), None, "a part of it"]
)
def test_what_torchscript_compiled_is_measured_as_it_is_or_refused(images, compile_it):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten()).eval()
    if compile_it is None:
        compiled = torch.jit.freeze(torch.jit.script(plain))
    elif compile_it == "a part of it":
        compiled = nn.Sequential(torch.jit.script(plain), nn.Identity())
    else:
        compiled = compile_it(plain)
    probe = images.float()
    found, expected = (relative_stability(model, probe, seed=0).relative.value for model in (compiled, plain))
    assert found == pytest.approx(expected, rel=1e-4)
    with pytest.raises(InputError, match="batch_norm='batch' .* compiled by TorchScript"):
        relative_stability(compiled, probe, batch_norm="batch")
    with pytest.raises(InputError, match="by operation .* compiled by TorchScript"):
        stability_by_operation(compiled, probe)


@pytest.mark.fault("unsupported")
def test_exported_programs_have_no_evaluation_mode(images):
    exported = torch.export.export(nn.Flatten(), (images,)).module()
    with pytest.raises(InputError, match="cannot be put into evaluation mode .*: give it as it was before"):
        relative_stability(exported, images)


def test_operations_that_no_pass_calls_are_named_once(caplog):
    """Attention gives the weights of its last linear map to a function; lists of modules and of parameters cannot be called."""

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.parts = nn.ModuleList([nn.ReLU()])
            self.nothing = nn.ParameterList()
            self.unused = nn.ModuleList(nn.ReLU() for _ in range(4))
            self.readout = nn.Linear(64, 3)

        def forward(self, x):
            tokens = self.parts[0](x.flatten(1, 2))
            return self.readout(self.attention(tokens, tokens, tokens)[0].flatten(1))

    images = torch.randn(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    measured = stability_by_operation(Attention(), images, seed=0, resamples=10, batch_size=9, displacement=0.5)
    assert list(measured) == ["parts.0", "readout"]
    (line,) = [record.getMessage() for record in caplog.records]
    names = "attention.out_proj, unused.0, unused.1 and 2 more"
    assert line.startswith(f"not measured, as the model has them but does not call them: {names}; ")
