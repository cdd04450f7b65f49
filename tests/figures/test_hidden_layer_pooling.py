"""Networks of one hidden layer: what read-outs made by hand pool over, a training's table; claims and caption."""

import math

import pandas as pd
import pytest
import torch
from claiming import decided, reaches_every_verdict, said
from claiming import with_interval as column_with_interval
from trainings import write_training

from diffeo_stability import InputError, build_network, laplacian_eigenspaces, relative_stability
from diffeo_stability.core.laplacian import laplacian_components
from diffeo_stability.data.probe import probe_images
from diffeo_stability.figures.claim_measures import MissingError
from diffeo_stability.figures.hidden_layer_pooling.findings import describe_hidden_layer_pooling
from diffeo_stability.figures.hidden_layer_pooling.measurement import (
    HiddenLayer,
    channel_matrix,
    common_share,
    hidden_layer_of,
    laplacian_energy,
    measure_hidden_layer_pooling,
    output_moves,
    participation_ratio,
    pooling_columns,
    smooth_filter_selection,
    spatial_spectrum,
    spectra_rows,
)
from diffeo_stability.figures.measuring import settings_of
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.figures.stability import Stability


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def white(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def test_a_constant_read_out_has_all_its_energy_at_the_constant():
    spectrum = spatial_spectrum(torch.full((3, 2, 9, 9), 0.7))
    assert spectrum.wavenumber[0] == 0 and spectrum.components[0] == 1
    assert float(spectrum.energy[0]) == pytest.approx(81)
    assert spectrum.energy[1:].abs().max() < 1e-12


def test_a_white_read_out_is_flat():
    spectrum = spatial_spectrum(white(4000, 8, 8))
    # Each energy is a mean of 4000 times as many squares as the bin has components
    error = (2 / (4000 * spectrum.components)).sqrt()
    assert ((spectrum.energy - 1).abs() < 4 * error).all()


@pytest.mark.parametrize("size", [5, 8, 28])
def test_the_spectrum_is_that_of_the_laplacian_and_loses_nothing(size):
    """Parseval, and the same as by the eigenvectors themselves, gathered by the square root of their eigenvalue."""
    maps = white(6, size, size)
    spectrum = spatial_spectrum(maps)
    assert int(spectrum.components.sum()) == size**2
    assert float((spectrum.energy * spectrum.components).sum()) == pytest.approx(size**2)
    if size < 28:
        components = laplacian_components(maps).mean(0)
        values = torch.tensor([value for value, _ in laplacian_eigenspaces(size)], dtype=torch.float64)
        counts = torch.tensor([len(basis) for _, basis in laplacian_eigenspaces(size)])
        bins = (values.clamp_min(0).sqrt() * size / math.pi + 1e-9).round()
        sums = torch.stack([(components * counts)[bins == place].sum() for place in bins.unique()])
        expected = sums / torch.stack([counts[bins == place].sum() for place in bins.unique()])
        torch.testing.assert_close(spectrum.energy, expected / (maps.square().mean()))


def test_one_cosine_lies_at_its_wavenumber():
    place = torch.arange(20, dtype=torch.float64) + 0.5
    for mode in (1, 4, 9):
        wave = torch.cos(math.pi * mode * place / 20)
        for maps in (wave.expand(20, 20), wave[:, None].expand(20, 20)):
            spectrum = spatial_spectrum(maps[None])
            found = float(spectrum.wavenumber[spectrum.energy.argmax()])
            assert found == pytest.approx(2 * math.sin(math.pi * mode / 40), abs=math.pi / 40)


def test_roughness_is_the_mean_eigenvalue():
    for value, basis in laplacian_eigenspaces(6):
        torch.testing.assert_close(laplacian_energy(basis), torch.full((len(basis),), value, dtype=torch.float64))
    maps = white(5000, 6, 6)
    ratio = laplacian_energy(maps).sum() / maps.square().sum()
    assert float(ratio) == pytest.approx(4 * (1 - 1 / 6), rel=0.02)


def test_effective_numbers_count_what_shares_the_energy():
    one, equal = torch.zeros(3, 5, 4, 4, dtype=torch.float64), white(1, 1, 4, 4).expand(3, 5, 4, 4)
    one[:, 2] = white(3, 4, 4)
    for read_out, channels, combinations in ((one, 1, 1), (equal, 5, 1)):
        matrix = channel_matrix(read_out)
        assert participation_ratio(matrix.diagonal()) == pytest.approx(channels)
        assert participation_ratio(torch.linalg.eigvalsh(matrix)) == pytest.approx(combinations)
    apart = torch.zeros(3, 3, 4, 4, dtype=torch.float64)
    for channel in range(3):
        apart[channel, channel] = 1.0
    matrix = channel_matrix(apart)
    assert (
        participation_ratio(matrix.diagonal()) == pytest.approx(3) == participation_ratio(torch.linalg.eigvalsh(matrix))
    )


def test_a_read_out_that_prefers_smooth_filters_is_told_from_one_that_does_not():
    eigenvalues = torch.linspace(0.5, 4, 32, dtype=torch.float64)[:, None]
    selective = smooth_filter_selection(1 / eigenvalues, eigenvalues, permutations=500, generator=seeded())
    assert selective.ratio < selective.null_low and selective.p_value < 0.01
    plain = smooth_filter_selection(torch.ones(32, 1).double(), eigenvalues, permutations=500, generator=seeded())
    assert plain.ratio == pytest.approx(1) and plain.p_value > 0.5
    contrary = smooth_filter_selection(eigenvalues, eigenvalues, permutations=500, generator=seeded())
    assert contrary.p_value > 0.99


def test_p_values_of_unrelated_filters_are_uniform():
    values = [
        smooth_filter_selection(
            white(12, 3, seed=seed).square(),
            white(12, 3, seed=999 + seed).square(),
            permutations=99,
            generator=seeded(seed),
        ).p_value
        for seed in range(200)
    ]
    assert abs(sum(value <= 0.1 for value in values) / 200 - 0.1) < 4 * math.sqrt(0.09 / 200)


def test_movements_in_common():
    counts = torch.ones(1, 300, dtype=torch.float64)
    same, own = torch.ones(300, 4, dtype=torch.float64), white(300, 4)
    assert float(common_share(same, counts)) == pytest.approx(1)
    assert abs(float(common_share(own, counts))) < 0.02
    assert float(common_share(same + own, counts)) == pytest.approx(0.5, abs=0.06)
    # A copy of an image is no pair: two images drawn twice each are as the two alone
    two = torch.tensor([[2.0, 2.0]], dtype=torch.float64)
    torch.testing.assert_close(common_share(own[:2], two), common_share(own[:2], two / 2))


@pytest.mark.parametrize(
    ("name", "grid", "filters"),
    [
        ("one_hidden_layer_cnn", 2, (3, 1, 1, 3, 3)),
        ("one_hidden_layer_lcn", 3, (3, 9, 1, 3, 3)),
        ("one_hidden_layer_gap", 1, (3, 1, 1, 3, 3)),
    ],
)
def test_weights_are_laid_out_as_the_network_reads_them(name, grid, filters):
    torch.manual_seed(0)
    network = build_network(name, 1, 8, 10, width=0.05, filter_size=3).double()
    layer = hidden_layer_of(network, name)
    assert layer.read_out.shape == (10, 3, grid, grid) and layer.grid == grid and layer.filters.shape == filters
    images = white(2, 1, 8, 8)
    with torch.no_grad():
        read = network[: list(network._modules).index("flatten1")](images)
        by_hand = torch.einsum("bcyx,kcyx->bk", read, layer.read_out) + network.linear1.bias
        torch.testing.assert_close(network(images), by_hand)
        local = name.endswith("lcn")
        row, column = (1, 2) if local else (3, 5)  # of its output; the image's margin makes 8 pixels 9 patches of 3
        patch = torch.nn.functional.pad(images, (0, 1, 0, 1))[:, :, 3:6, 6:9] if local else images[:, :, 2:5, 4:7]
        own = layer.filters[:, row * grid + column if local else 0]
        bias = network[0].bias[:, row, column] if local else network[0].bias
        activation = torch.einsum("bihw,cihw->bc", patch, own) + bias
        torch.testing.assert_close(network[0](images)[:, :, row, column], activation)


def test_columns_of_a_hidden_layer_made_by_hand():
    """Filters on two input channels, the smooth ones read, the rough ones hardly: at all places alike, then not at one."""
    filters = torch.stack([basis[0] for _, basis in laplacian_eigenspaces(3)])[:, None, None].repeat(1, 1, 2, 1, 1)
    weight = torch.tensor([1.0, 0.5, 0.1, 0.1, 0.1, 0.1], dtype=torch.float64)
    read_out = weight[:, None, None] * white(10, 1, 1, 1) * torch.ones(10, len(filters), 7, 7, dtype=torch.float64)
    columns = pooling_columns(HiddenLayer(filters, read_out), Probe(resamples=200))
    assert columns["spatial_eigenvalue"] == pytest.approx(0, abs=1e-12)
    energies = weight.square()
    assert columns["effective_channels"] == pytest.approx(float(energies.sum() ** 2 / energies.square().sum()))
    assert columns["effective_combinations"] == pytest.approx(1)
    eigenvalues = torch.tensor([value for value, _ in laplacian_eigenspaces(3)], dtype=torch.float64)
    assert columns["filter_eigenvalue"] == pytest.approx(float(eigenvalues.mean()))
    expected = (energies * eigenvalues).sum() / energies.sum() / eigenvalues.mean()
    assert columns["selection"] == pytest.approx(float(expected)) and columns["selection_p_value"] < 0.05
    read_out[:, :, 0, 0] = 0
    without_a_place = pooling_columns(HiddenLayer(filters, read_out), Probe(resamples=200))
    assert without_a_place["selection"] == pytest.approx(float(expected))
    assert without_a_place["spatial_eigenvalue"] == pytest.approx(2 / 48)


def test_a_read_out_of_averages_has_no_spectrum_over_space():
    layer = HiddenLayer(white(6, 1, 1, 3, 3), white(10, 6, 1, 1))
    columns = pooling_columns(layer, Probe(resamples=100))
    assert columns["grid"] == 1 and math.isnan(columns["spatial_eigenvalue"])
    assert all(math.isfinite(value) for name, value in columns.items() if not name.startswith("spatial"))
    assert {row["basis"] for row in spectra_rows(layer.read_out)} == {"channel", "combination"}


def test_a_read_out_has_no_more_combinations_of_channels_than_classes_and_places():
    energies = [row["energy"] for row in spectra_rows(white(3, 8, 1, 1)) if row["basis"] == "combination"]
    assert min(energies[:3]) > 1e-6 and energies[3:] == [0] * 5


def test_filters_of_one_pixel_have_no_smoothness_to_select():
    layer = HiddenLayer(white(4, 1, 1, 1, 1), white(10, 4, 6, 6))
    columns = pooling_columns(layer, Probe(resamples=100))
    assert columns["filter_eigenvalue"] == 0 and math.isnan(columns["selection"]) and columns["selection_p_value"] == 1


def test_movements_are_those_of_d_and_g(mnist5k):
    torch.manual_seed(0)
    network = build_network("one_hidden_layer_cnn", 1, 28, 10, width=0.05).double()
    images, probe = probe_images(mnist5k, 40, 0)[:].double(), Probe(batch_size=30, resamples=100)
    moves = output_moves(network, images, Stability(), probe)
    measured = relative_stability(network, images, **settings_of(Stability(), probe))
    with torch.no_grad():
        between = 2 * network(images).var(0).sum()
    for symbol, estimate in (("D", measured.deformation), ("G", measured.noise)):
        value = moves[symbol].square().sum(1).mean() / between
        assert float(value) == pytest.approx(estimate.value, rel=1e-10)


def test_shares_of_every_basis_add_up():
    rows = spectra_rows(white(10, 6, 12, 12))
    for basis in ("laplacian", "channel", "combination"):
        own = [row for row in rows if row["basis"] == basis]
        assert sum(row["share"] for row in own) == pytest.approx(1)
        assert [row["index"] for row in own] == sorted(row["index"] for row in own)


def test_a_training_is_measured_at_init_and_trained(mnist5k, tmp_path):
    def pool(network):
        """A read-out that sums over space, each channel for three classes."""
        network.linear1.weight.zero_()
        network.linear1.weight.unflatten(1, (3, 7, 7))[range(9), [0, 1, 2] * 3] = 0.01

    folder = write_training(tmp_path / "checkpoints", pool, "read_out", name="one_hidden_layer_cnn", width=0.05)
    probe = Probe(images=40, batch_size=30, resamples=100)
    given = Given(probe=probe, checkpoints=folder, dataset=mnist5k, stability=Stability())
    rows, summary, _ = measure_hidden_layer_pooling(given)
    init, trained = rows
    assert [row["state"] for row in rows] == ["init", "trained"]
    assert {row["trained_part"] for row in (*rows, *summary)} == {"read_out"}
    assert init["channels"] == trained["channels"] == 3 and init["grid"] == trained["grid"] == 7
    assert init["spatial_eigenvalue_low"] < 4 * (1 - 1 / 7) < init["spatial_eigenvalue_high"]
    assert trained["spatial_eigenvalue"] == pytest.approx(0, abs=1e-9)
    assert trained["effective_channels"] == pytest.approx(3) == trained["effective_combinations"]
    assert init["filter_eigenvalue"] == trained["filter_eigenvalue"]
    for row in rows:
        assert row["R"] == pytest.approx(row["D"] / row["G"]) and row["R_low"] < row["R"] < row["R_high"]
        for symbol in "DG":
            assert row[f"{symbol}_common_low"] <= row[f"{symbol}_common"] <= row[f"{symbol}_common_high"] <= 1
    assert measure_hidden_layer_pooling(given).table == rows
    constant = next(row for row in summary if row["state"] == "trained" and row["basis"] == "laplacian")
    assert constant["share"] == pytest.approx(1) and constant["wavenumber"] == 0


@pytest.mark.parametrize("name", ["lenet", "fully_connected_2"])
def test_networks_of_other_layers_are_named(mnist5k, tmp_path, name):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name=name)
    with pytest.raises(
        InputError, match="mine is no network of one hidden layer.*out of hidden_layer_pooling.networks"
    ):
        measure_hidden_layer_pooling(Given(probe=Probe(), checkpoints=folder, dataset=mnist5k, stability=Stability()))


def nets_of(name, ratios, whole=0.04, half=0.01, grid=7, **columns):
    """Rows of a net at two widths, trained both ways; D and R of the read-out alone over the whole net's at the larger."""
    rows = []
    for width, factor in ((0.5, 30.0), (2.0, 1.0)):
        for part, smoother in (("all", 0.5), ("read_out", 1.0)):
            values = {
                quantity: whole * (factor * ratio if part == "read_out" else 1.0) for quantity, ratio in ratios.items()
            }
            stabilities = {key: x for one in values.items() for key, x in column_with_interval(*one, half).items()}
            shared = {"net": name, "seed": 0, "width": width, "grid": grid, "trained_part": part, **columns}
            shared |= {"test_error": 0.02 if part == "all" else 0.05, "selection_p_value": 0.01}
            rows.append({**shared, **stabilities, "state": "trained", "filter_eigenvalue": 3.0 * smoother})
            rows.append({**shared, **stabilities, "R": 99.0, "D": 99.0, "state": "init", "filter_eigenvalue": 3.0})
    return rows


def of_ratio(quantity, grid):
    return lambda x, half: {
        "hidden_layer_pooling": nets_of("a", {"R": 50.0, "D": 60.0, quantity: x}, half=half / math.sqrt(2), grid=grid)
    }


CASES = {
    "12 R": (of_ratio("R", 7), 1.0, 2.0, 0.8),
    "12 D": (of_ratio("D", 7), 1.0, 0.5, 1.25),
    "12 channels": (of_ratio("D", 1), 1.0, 2.0, 1.25),
}


@pytest.mark.parametrize("name", CASES)
def test_every_question_gets_every_answer(name, tmp_path):
    reaches_every_verdict(name, tmp_path, *CASES[name])


def test_read_outs_of_averages_answer_for_themselves(tmp_path):
    rows = [
        *nets_of("one_hidden_layer_cnn", {"R": 1.1, "D": 1.0}),
        *nets_of("one_hidden_layer_lcn", {"R": 1.0, "D": 1.1}),
        *nets_of("one_hidden_layer_gap", {"R": 3.0, "D": 4.0}, grid=1),
    ]
    found = {name: decided(name, tmp_path, {"hidden_layer_pooling": rows}) for name in CASES}
    assert [row.verdict for row in found.values()] == ["yes", "yes", "no"]
    assert found["12 R"].reason == "yes in 2 of 2 nets" and found["12 channels"].measured == pytest.approx(4.0)
    alone = {"hidden_layer_pooling": rows[:8]}
    missing = decided("12 channels", tmp_path, alone)
    assert missing.verdict == "needs networks" and "pools over channels only" in missing.reason
    text = said("hidden_layer_pooling", tmp_path, alone)
    assert "with the whole net trained is 1.0 (0.99 to 1.0) in 1-layer CNN, and" in text and "only" not in text


def test_the_caption_of_several_nets_and_seeds(tmp_path):
    nets = [
        *nets_of("one_hidden_layer_cnn", {"R": 1.1, "D": 1.3}),
        *nets_of("one_hidden_layer_lcn", {"R": 1.0, "D": 0.9}),
        *nets_of("one_hidden_layer_gap", {"R": 3.0, "D": 4.0}, grid=1),
    ]
    text = said("hidden_layer_pooling", tmp_path, {"hidden_layer_pooling": nets})
    assert (
        "is 1.3 in 1-layer CNN and 0.90 in 1-layer LCN, and the same ratio of :math:`R_f` 1.1 in 1-layer CNN and 1.0"
        in text
    )
    assert (
        "test errors are 5.0%, against 2.0%" in text and "channels only, the ratio of :math:`D_f` is 4.0 (3.9" in text
    )
    assert "makes its filters smoother in 3 of 3 nets" in text and "in 3 of 3 trainings" in text and "seeds" not in text
    several = [{**row, "seed": seed} for seed in range(3) for row in nets]
    text = said("hidden_layer_pooling", tmp_path, {"hidden_layer_pooling": several})
    assert "in 9 of 9 trainings" in text and "geometric means over 3 seeds" in text


def test_nets_trained_one_way_alone_say_nothing(tmp_path):
    rows = [row for row in nets_of("a", {"R": 1.0, "D": 1.0}) if row["trained_part"] == "all"]
    with pytest.raises(MissingError, match="trained both ways"):
        describe_hidden_layer_pooling({"hidden_layer_pooling": pd.DataFrame(rows)})
