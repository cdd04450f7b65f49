"""The configuration: every wrong key ends in one line that names it and what is allowed."""

import copy
import os
from datetime import date

import jsonschema
import pytest
import yaml
from hostile import YAML_BOMBS
from tracked import tracked_files

from diffeo_stability.core.errors import InputError
from diffeo_stability.figures import FIGURES
from diffeo_stability.pipeline.config import load_config, parse_config
from diffeo_stability.pipeline.config_files import read_yaml, typed
from diffeo_stability.pipeline.generate import generated, schema_yaml
from diffeo_stability.pipeline.plan import Plan

REMOVED = object()


@pytest.fixture
def raw(root):
    return yaml.safe_load((root / "config" / "mnist5k.yaml").read_text())


def changed(raw, path, value):
    """A copy in which the key at a dotted path has another value."""
    raw = copy.deepcopy(raw)
    *blocks, key = path.split(".")
    block = raw
    for name in blocks:
        block = block[name]
    if value is REMOVED:
        del block[key]
    else:
        block[key] = value
    return raw


def test_every_configuration_file_is_valid(root):
    files = sorted({*tracked_files(root, "config/*.yaml")} - {root / "config" / "claims.yaml"})
    assert {"mnist5k.yaml", "smoke.yaml"} <= {file.name for file in files}
    for file in files:
        assert load_config(file).run == file.stem


def test_smoke_has_the_keys_of_the_default_run(root, raw):
    def keys(block, free=("networks",)):
        return {
            name: keys(part) if isinstance(part, dict) and name not in free else None for name, part in block.items()
        }

    assert keys(yaml.safe_load((root / "config" / "smoke.yaml").read_text())) == keys(raw)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "networks.lenet.weights",
            "weights.npz",
            "networks.lenet.weights: 'weights.npz' are no weights; allowed are a file that ends in .safetensors, .pt, ",
        ),
        ("networks.lenet.weights", "timm:resnet18", "'timm:resnet18' are no weights"),
        ("networks.lenet.architecture", "my_nets.py:net", "leave out .py, as in my_nets:net"),
        ("networks.lenet.architecture", ".my_nets:net", "allowed is <package.module>:<function>"),
        ("networks.lenet.training", 3, "networks.lenet.training is 3: it should be a block of keys"),
        ("run", 2024, "run is 2024: input should be a valid string .*write it in quotes"),
        ("run", date(2021, 1, 1), "run is .*write it in quotes"),
        ("networks.lenet.label", 7, "label is 7: .*write it in quotes"),
        ("stability_vs_train_size.networks", [7], "networks.0 is 7: .*write it in quotes"),
        ("run", "r" * 101, "run is .*: string should have at most 100 characters"),
        ("dataset.name", "d" * 101, "dataset.name is .*: string should have at most 100 characters"),
        ("networks", {"n" * 101: {"architecture": "lenet"}}, "string should have at most 100 characters"),
        (
            "dataset.validation_images",
            -1,
            "dataset.validation_images is -1: input should be greater than or equal to 0",
        ),
        ("dataset.test_only", True, "test_only is true, but source mnist5k has training images"),
        ("training", None, "training is missing"),
        ("data_dir", "~/data", "data_dir is '~/data'"),
        ("data_dir", "$SCRATCH/data", r"data_dir is '\$SCRATCH/data'"),
        ("data_dir", "my data", "data_dir is 'my data'"),
        ("trainin", 1, "trainin is no key; did you mean training\\?; allowed are run, data_dir"),
        ("training.epoch", 1, "training.epoch is no key; did you mean epochs\\?"),
        ("networks.lenet.training", {"epoch": 1}, "networks.lenet.training.epoch is no key; did you mean epochs\\?"),
        ("networks.lenet.widht", 1.0, "networks.lenet.widht is no key; did you mean width\\?"),
        ("stability.cutof", 3, "stability.cutof is no key; did you mean cutoff\\?"),
        ("training.epochs", -1, "training.epochs is -1: input should be greater than or equal to 0"),
        ("training.epochs", "ten", "training.epochs is 'ten': input should be a valid integer"),
        ("networks.lenet.training", {"epochs": -3}, "networks.lenet.training.epochs is -3"),
        ("training.weight_decay", "5e-4", "write 5.0e-4 for 5e-4"),
        ("training.optimizer", "lion", "training.optimizer is 'lion': input should be 'sgd', 'adam' or 'adamw'"),
        (
            "networks.lenet.architecture",
            "lenet5",
            "networks.lenet.architecture: 'lenet5' is no network; allowed are alexnet",
        ),
        ("networks.lenet.architecture", "../../evil", "is no network"),
        ("networks.lenet.architecture", "timm:../evil", "is no network"),
        ("networks", {"a/b": {"architecture": "lenet"}}, "networks.a/b"),
        ("networks", {}, "networks is"),
        ("dataset.source", "imagenet", "dataset.source is 'imagenet': input should be 'mnist5k', 'mnist'"),
        ("dataset.source", "image_folder", "dataset: path is missing"),
        ("dataset.path", "somewhere", "dataset: path is given, but source mnist5k takes none"),
        ("dataset.copy_of", "cifar10", "dataset: copy_of is cifar10, but source mnist5k is no copy of another"),
        ("dataset.copy_of", "image_folder", "dataset.copy_of is 'image_folder': input should be 'mnist5k', 'mnist'"),
        ("training.train_size", None, "train_size is missing .for fully_connected_4.: stability_vs_train_size"),
        ("training.horizontal_flip", True, "horizontal_flip: true .* is not allowed for mnist5k.*allowed is false"),
        ("stability.cutoff", 1, "stability.cutoff is 1: input should be greater than or equal to 2"),
        ("stability.cutoff", 18, "stability.cutoff: 18 leaves an empty temperature range.*allowed are 2 to 17"),
        ("deformations.cutoffs", [3, 40], "deformations.cutoffs: 40 leaves an empty temperature range"),
        ("deformations.temperatures", [], "deformations.temperatures is"),
        ("stability_vs_train_size.networks", ["vgg99"], "'vgg99' is no network of this run; it has fully_connected_2"),
        ("stability", REMOVED, "needs the block stability"),
        ("noise_curves.networks", ["vgg99"], "noise_curves.networks: 'vgg99' is no network of this run"),
        ("noise_curves.largest_norm", 0.01, "noise_curves: largest_norm is 0.01: it must exceed smallest_norm"),
        ("noise_curves.cutoff", 40, "noise_curves.cutoff: 40 leaves an empty temperature range"),
        ("noise_curves", REMOVED, "noise_bump_images: needs the block noise_curves"),
        ("noise_bump_images.network", "alexnet", "noise_bump_images.network: 'alexnet' has no noise curve"),
        ("rotation_coupling.angle_step", 120.0, "rotation_coupling.angle_step is 120.0"),
        (
            "channel_shuffling.networks",
            ["lenet", "fully_connected_2"],
            "'fully_connected_2' .* is no convolutional network",
        ),
        ("hidden_layer_pooling.networks", ["lenet"], "'lenet' .lenet. is no network of one hidden layer"),
        ("neuron_stability.networks", ["resnet18"], "'resnet18' .resnet18. is no plain sequence of convolutions"),
        ("neuron_stability.strongest", 101, "neuron_stability: strongest is 101: there are only 100 patches"),
        ("field_decomposition.patch_sizes", [1, 4], "4 is even: it must be odd"),
        (
            "field_decomposition.patch_sizes",
            [1, 99],
            "field_decomposition.patch_sizes: 99 does not fit into images of 28 x 28",
        ),
        ("field_decomposition.cutoffs", [40], "field_decomposition.cutoffs: 40 leaves an empty temperature range"),
        ("training.trained_part", "head", "training.trained_part is 'head': input should be 'all' or 'read_out'"),
        ("seeds", [], "seeds is"),
        ("dataset.title", "two\nlines", r"dataset.title: 'two\\nlines' is no plain text"),
        (
            "dataset.title",
            "\x1c\x1c.. raw:: html",
            "dataset.title: .* is no plain text: allowed are printable characters",
        ),
        ("dataset.title", "at its end ", "dataset.title: .* is no plain text"),
        ("dataset.mirror", "http://\x1b[2J", "dataset.mirror: .* is no plain text"),
        ("data_dir", "data/{run}", "data_dir"),
        ("data_dir", "<results>", "data_dir"),
        ("seeds", [["x" * 10**6] * 1000] * 1000, "seeds"),
        pytest.param(
            "networks.Lenet",
            {"architecture": "lenet"},
            "networks: lenet and Lenet differ in capitals alone",
            marks=pytest.mark.fault("unsupported"),
        ),
        pytest.param(
            "scale_detection.dataset.name",
            "MNIST5k",
            "scale_detection.dataset: mnist5k and MNIST5k differ in capitals alone",
            marks=pytest.mark.fault("unsupported"),
        ),
        (
            "dataset.normalisation",
            {"mean": [float("nan")], "std": [1.0]},
            "normalisation.*mean.0 is nan: .* finite number",
        ),
        pytest.param(
            "dataset.mirror",
            "ftp://example.org/mnist",
            "dataset.mirror is 'ftp://example.org/mnist'",
            marks=pytest.mark.fault("unsupported"),
        ),
        ("dataset.mirror", "example.org/mnist", "dataset.mirror is 'example.org/mnist'"),
        ("drawing_limit", 0, "drawing_limit is 0"),
        ("run", "../elsewhere", "run is '../elsewhere'"),
        ("run", "reference", "run: 'reference' is the folder of the committed figures"),
        ("seeds", [0, 1, 0], "seeds: 0 stands in the list more than once"),
        ("stability_vs_train_size.train_sizes", [100, 100], "train_sizes: 100 stands in the list more than once"),
        ("probe.resamples", 1, "probe.resamples is 1"),
        ("device", "tpu", "device is 'tpu'"),
        ("dataset.validation_images", 4000, "dataset.validation_images: 4000 leaves none of 4,000 to train on"),
        ("dataset.validation_images", 401, "training.train_size: 3600 is more than 3,599, the training images"),
        ("training.train_size", 3601, "^config: training.train_size: 3601 is more than 3,600"),
        ("networks.lenet.training", {"train_size": 9999}, "networks.lenet.training.train_size: 9999 is more"),
        ("networks.lenet.training", {"label_count": 11}, "networks.lenet.training.label_count: 11 is more than the 10"),
        ("stability_vs_train_size.train_sizes", [100, 5000], "stability_vs_train_size.train_sizes: 5000 is more than"),
        ("first_layer_filters.train_sizes", [3601], "first_layer_filters.train_sizes: 3601 is more than"),
        ("probe.images", 1001, "probe.images: 1001 is more than the 1,000 test images"),
        ("neuron_stability.images", 1001, "neuron_stability.images: 1001 is more than the 1,000 test images"),
        ("deformations.image", 1000, "deformations.image: 1000 is not there: test images are numbered 0 to 999"),
    ],
)
def test_a_wrong_key_is_named_in_one_line(raw, path, value, message):
    with pytest.raises(InputError, match=message) as caught:
        parse_config(changed(raw, path, value))
    lines = str(caught.value).splitlines()
    assert all(line.startswith("config: ") for line in lines)
    assert sum(path.split(".")[0] in line for line in lines) >= 1


def test_a_run_without_a_figure_is_refused(raw):
    for stem in FIGURES:
        raw.pop(stem)
    with pytest.raises(InputError, match="there is no figure to make"):
        parse_config(raw)


def test_several_errors_are_all_reported(raw):
    with pytest.raises(InputError) as caught:
        parse_config(changed(changed(raw, "training.epochs", -1), "probe.images", 1))
    assert len(str(caught.value).splitlines()) == 2


def test_missing_keys_are_named(raw):
    del raw["training"]["learning_rate"]
    with pytest.raises(InputError, match=r"config: training.learning_rate is missing"):
        parse_config(raw)


def test_images_have_a_title_even_if_none_is_given(raw):
    assert parse_config(raw).dataset.title == "MNIST, 5,000 digits"
    raw["dataset"] = {"source": "image_folder", "name": "my_cats", "path": "cats", "validation_images": 10}
    assert parse_config(raw).dataset.title == "my_cats"
    assert parse_config(changed(raw, "dataset.title", "CIFAR-10 (JPEG copy)")).dataset.title == "CIFAR-10 (JPEG copy)"


def test_images_of_networks_with_weights_are_normalised_as_somebody_said(raw):
    weights = changed(raw, "networks.lenet.weights", "lenet.pt")
    for stem in ("stability_vs_train_size", "scale_detection", "noise_training"):
        weights[stem]["networks"] = ["vgg11_bn"]
    with pytest.raises(InputError, match="dataset.normalisation is missing: lenet has weights"):
        parse_config(weights)
    for choice, scale in (("images", None), ("timm:resnet18.a1_in1k", "timm:resnet18.a1_in1k")):
        assert parse_config(changed(weights, "dataset.normalisation", choice)).dataset.scale == scale
    with pytest.raises(InputError, match=r"dataset\.normalisation"):
        parse_config(changed(weights, "dataset.normalisation", "imagenet"))
    with pytest.raises(InputError, match="init is none, but the network is trained here"):
        parse_config(changed(raw, "networks.lenet.init", "none"))


def test_networks_with_weights_have_no_settings_of_a_training(raw):
    raw = changed(changed(raw, "networks.lenet.weights", "lenet.pt"), "dataset.normalisation", "images")
    for stem in ("stability_vs_train_size", "scale_detection", "noise_training"):
        raw[stem]["networks"] = ["vgg11_bn"]
    parse_config(raw)
    with pytest.raises(InputError, match=r"networks\.lenet\.training: lenet has weights and is not trained"):
        parse_config(changed(raw, "networks.lenet.training", {"epochs": 3}))
    for key, value in (("noise", 3.0), ("label_count", 5)):
        with pytest.raises(
            InputError, match=rf"training\.{key}: lenet has weights, and would be tested on other images"
        ):
            parse_config(changed(raw, f"training.{key}", value))
        parse_config(changed(raw, "networks.vgg11_bn.training", {key: value}))


def test_images_of_ones_own_are_counted_when_they_are_read(raw):
    block = {"source": "image_folder", "name": "mine", "path": "mine", "validation_images": 9999}
    own = {**raw, "dataset": block}
    del own["scale_detection"]  # whose images are known
    assert parse_config(changed(own, "probe.images", 9999)).probe.images == 9999


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"seeds": ["0", "1"]}, {"seeds": [0, 1]}),
        ({"data_dir": "/scratch/data", "checkpoints": 4}, {"data_dir": "/scratch/data", "checkpoints": 4}),
        (
            {"training": {"learning_rate": "0.01", "train_size": "null", "horizontal_flip": "true"}},
            {"training": {"learning_rate": 0.01, "train_size": None, "horizontal_flip": True}},
        ),
        ({"noise_curves": {"networks": ["lenet", "vgg11"]}}, {"noise_curves": {"networks": ["lenet", "vgg11"]}}),
        ({"dataset": {"title": "[unclosed", "name": "{a: 1}"}}, {"dataset": {"title": "[unclosed", "name": "{a: 1}"}}),
        ({}, {}),
    ],
)
def test_what_stands_in_brackets_on_the_command_line_is_as_in_a_file(given, expected):
    """Snakemake hands it over as texts."""
    assert typed(given) == expected


def test_an_empty_block_is_all_defaults(raw):
    del raw["stability"]
    without = {key: block for key, block in raw.items() if key not in FIGURES}
    config = parse_config({**without, "stability": None})
    assert list(config.figures) == ["stability"] and config.stability.cutoff == 3
    resolved = config.model_dump(exclude_none=True)
    assert list(parse_config(resolved).figures) == ["stability"]
    without |= {"stability": {}, "networks": {"lenet": {"architecture": "lenet", "training": None}}}
    assert parse_config(without).recipe("lenet") == config.training


@pytest.mark.parametrize("name", ["a.ckpt", "pytorch_model.bin", "A.PT", "a.Safetensors", "best.pth.tar"])
def test_weights_may_have_the_endings_that_frameworks_give_them(raw, name):
    networks = {"mine": {"architecture": "lenet", "weights": name}}
    own = {key: raw[key] for key in ("run", "seeds")} | {"networks": networks, "stability": {}}
    config = parse_config(own | {"dataset": {**raw["dataset"], "normalisation": "images"}})
    assert config.networks["mine"].weights == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run: mine\nseeds: [0]\nrun: other\n", "key run stands there twice"),
        ("networks:\n  a: {architecture: lenet}\n  a: {architecture: vgg11}\n", "key a stands there twice"),
        ("a: &a {width: 1.0}\nb: &b {width: 2.0}\nc: {<<: *a, <<: *b}\n", "key << stands there twice"),
        ("networks: {007: {architecture: lenet}}\n", "key 007 is read as 7, not as text: write it in quotes"),
        ("networks: {null: {architecture: lenet}}\n", "key null is read as None, not as text: write it in quotes"),
    ],
)
def test_keys_stand_there_once_and_are_text(tmp_path, text, message):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_config(tmp_path / "run.yaml")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["NA", "007", "1e5", "18", "null", "true", "1_000"])
def test_a_key_in_quotes_is_a_name(tmp_path, raw, name):
    raw = changed(raw, "networks", {name: {"architecture": "lenet"}})
    raw = {key: raw[key] for key in ("run", "seeds", "dataset", "training", "networks")}
    raw |= {"stability": {}, "activation_spectra": {"networks": [name]}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(raw))
    config = load_config(tmp_path / "run.yaml")
    assert list(config.networks) == config.activation_spectra.networks == [name]
    assert f"results/{config.run}/networks/{name}/seed0/stability.csv" in Plan(config).measured("stability")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"label": ""}, "'' is no label: allowed is"),
        ({"label": "two\nlines"}, "is no label: allowed is"),
        ({"label": "_x"}, "'_x' is no label: allowed is"),
        ({"label": 18}, "networks.lenet.label is 18: input should be a valid string"),
        ({"label": 81 * "x"}, "networks.lenet.label is .*at most 80 characters"),
        ({"color": "#aabbcc\n"}, "no colour; allowed are"),
        ({"architecture": "timm:resnet18\n"}, "is no network; allowed are"),
        ({"architecture": "mine:net\n"}, "network mine:net is no name of a function"),
        ({"color": "red"}, "'red' is no colour; allowed are rose, "),
        ({"color": "#12345"}, "is no colour; allowed are "),
        ({"label": "mine"}, "mine: lenet is called 'mine' too: give one of them another label"),
    ],
)
def test_labels_and_colours_are_checked(raw, block, message):
    own = {"mine": {"architecture": "lenet"}, "lenet": {"architecture": "lenet"} | block}
    networks = {**raw["networks"], **own}
    with pytest.raises(InputError, match=message) as caught:
        parse_config(changed(raw, "networks", networks))
    assert len(str(caught.value).splitlines()) == 1


def test_images_are_a_copy_of_what_the_configuration_says_and_nothing_else(raw):
    assert parse_config(raw).dataset.copy_of == "mnist5k"
    block = {"source": "image_folder", "name": "mine", "title": "CIFAR-10", "path": "mine", "validation_images": 10}
    assert parse_config({**raw, "dataset": block}).dataset.copy_of is None
    resolved = parse_config({**raw, "dataset": {**block, "copy_of": "cifar10"}})
    assert resolved.dataset.copy_of == "cifar10" and parse_config(resolved.model_dump(exclude_none=True)) == resolved


def test_copies_of_digits_are_not_mirrored_either(raw):
    block = {"source": "image_folder", "name": "mine", "path": "mine", "validation_images": 10}
    mirrored = changed({**raw, "dataset": block}, "training.horizontal_flip", True)
    parse_config(mirrored)
    with pytest.raises(InputError, match="horizontal_flip: true .* is not allowed for svhn"):
        parse_config(changed(mirrored, "dataset.copy_of", "svhn"))


def test_a_network_changes_only_what_it_names(raw):
    config = parse_config(raw)
    usual, special = config.recipe("lenet"), config.recipe("efficientnet_b0")
    assert usual == config.training
    assert special.precision == "float32" and special.batch_size == usual.batch_size


def test_files_that_are_no_configuration_are_named(tmp_path):
    for content in ("", "- a list", "a: [unclosed", "a: !!python/object/apply:os.system [echo]"):
        (tmp_path / "run.yaml").write_text(content)
        with pytest.raises(InputError, match=r"config .*run.yaml"):
            load_config(tmp_path / "run.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        load_config(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("content", YAML_BOMBS.values(), ids=YAML_BOMBS)
def test_a_few_lines_that_stand_for_billions_of_values_are_refused(tmp_path, content):
    (tmp_path / "run.yaml").write_text(content)
    with pytest.raises(InputError, match=r"run.yaml (cannot be read|is larger)") as caught:
        load_config(tmp_path / "run.yaml")
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def test_aliases_are_read(tmp_path):
    (tmp_path / "run.yaml").write_text("networks: {a: &net {architecture: lenet}, b: {<<: *net, width: 2.0}, c: *net}")
    networks = read_yaml(tmp_path / "run.yaml")["networks"]
    assert networks["a"] == networks["c"] and networks["b"] == {"architecture": "lenet", "width": 2.0}
    (tmp_path / "run.yaml").write_text("a: &a {x: 1}\nb: {c: {d: &d {<<: *a, x: 2}}}\ne: {<<: *d}\n")
    assert read_yaml(tmp_path / "run.yaml") == {"a": {"x": 1}, "b": {"c": {"d": {"x": 2}}}, "e": {"x": 2}}


def test_configurations_that_would_be_waited_for_are_named(tmp_path):
    os.mkfifo(tmp_path / "run.yaml")
    for path in (tmp_path / "run.yaml", "/dev/zero", tmp_path):
        with pytest.raises(InputError, match="is no regular file|cannot be read"):
            load_config(path)


def test_a_wrong_key_leaves_what_is_not_given_unmentioned(raw):
    with pytest.raises(InputError) as caught:
        parse_config(changed(raw, "dataset.title", ""))
    assert "\n" not in str(caught.value)


def test_what_is_generated_is_up_to_date(root):
    for path, text in generated(root).items():
        assert path.read_text() == text, f"{path.name} is stale: make generate"


def test_schema_is_closed_and_describes_every_key(root, raw):
    schema = yaml.safe_load(schema_yaml())
    jsonschema.validate(raw, schema)
    for block in [schema, *schema["$defs"].values()]:
        if block.get("type") == "object":
            assert block["additionalProperties"] is False
    with pytest.raises(jsonschema.ValidationError, match="epoch"):
        jsonschema.validate(changed(raw, "training.epoch", 1), schema)


def test_readme_of_the_configuration_has_every_key_once(root):
    text = (root / "config" / "README.md").read_text()
    schema = yaml.safe_load(schema_yaml())
    blocks = {
        "": None,
        "dataset.": "DatasetBlock",
        "dataset.normalisation.": "Normalisation",
        "dataset.two_points.": "TwoPoints",
        "training.": "Recipe",
        "networks.<name>.": "NetworkBlock",
        "probe.": "Probe",
        **{f"{stem}.": figure.settings.__name__ for stem, figure in FIGURES.items()},
    }
    repeated = {"RecipeChanges"}  # the keys of training, each of which may be given alone
    with_keys = {name for name, block in schema["$defs"].items() if "properties" in block}
    assert with_keys == {*filter(None, blocks.values())} | repeated
    for prefix, name in blocks.items():
        block = schema if name is None else schema["$defs"][name]
        for key, node in block["properties"].items():
            (row,) = [line for line in text.splitlines() if line.startswith(f"| `{prefix}{key}` |")]
            default = node.get("default")
            if isinstance(default, str | int | float):
                assert f"| `{str(default).lower() if isinstance(default, bool) else default}` |" in row
            assert "required" in row or key not in block.get("required", ())
