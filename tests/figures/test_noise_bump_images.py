"""Pictures at the bump: noise of the norms asked for, and what the network says to it; caption."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from claiming import said
from trainings import write_training

from diffeo_stability import InputError
from diffeo_stability.data.class_names import readable_names
from diffeo_stability.data.probe import probe_images
from diffeo_stability.figures.noise_bump_images import NoiseBumpImages
from diffeo_stability.figures.noise_bump_images.measurement import measure_noise_bump_images
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.networks.checkpoints import list_checkpoints, load_checkpoint


@pytest.fixture
def summary():
    """The noise curves' summary: the bump of the trained network at 6, all else elsewhere."""
    rows = [
        {
            "net": "mine",
            "seed": 3,
            "state": state,
            "perturbation": perturbation,
            "output": output,
            "bump_r": r,
            "bump": True,
            "contrast_norm": 12.0,
        }
        for state, perturbation, output, r in (
            ("init", "noise", "logits", 1.0),
            ("trained", "deformation", "logits", 2.0),
            ("trained", "noise", "softmax", 3.0),
            ("trained", "noise", "logits", 6.0),
        )
    ]
    return pd.DataFrame(rows)


def measure(dataset, summary, folder, probe=80, **settings):
    given = Given(
        settings=NoiseBumpImages(network="mine", **settings),
        probe=Probe(images=probe),
        checkpoints=folder,
        dataset=dataset,
        tables={"noise_curves_summary": summary},
    )
    rows, _, pictures = measure_noise_bump_images(given)
    return rows, pictures


def test_pictures_show_images_that_the_network_gets_right_with_noise_of_the_norms(mnist5k, summary, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: network.linear3.weight.mul_(2), name="lenet")
    rows, pictures = measure(mnist5k, summary, folder, images=2, factors=[4.0, 0.5])
    assert [(row["perturbation"], row["image"], row["factor"], row["r"]) for row in rows] == [
        (perturbation, image, factor, 6 * factor)
        for perturbation in ("noise", "datapoint")
        for factor in (0.0, 0.5, 4.0)
        for image in (0, 1)
    ]
    noisy = pictures["noise"]
    assert noisy.shape == (2, 3, 1, 28, 28) and noisy.dtype == torch.uint8
    images = probe_images(mnist5k, 80, seed=0)
    network, _ = load_checkpoint(list_checkpoints(folder)[-1])
    with torch.no_grad():
        logits = network(images[:])
    right = torch.nonzero(logits.argmax(1) == images.labels)[:2, 0]
    for row in rows[:2]:
        index = int(right[row["image"]])
        assert row["probe_image"] == index and row["prediction"] == row["label"] == str(int(images.labels[index]))
        assert row["confidence"] == pytest.approx(float(logits[index].double().softmax(0).max()), rel=1e-5)
        scale = 255 * float(mnist5k.std)
        # Pixels far from black and white show the noise unclipped
        clean = noisy[row["image"], 0].float()
        grey = (clean > 80) & (clean < 175)
        assert grey.any()
        moved = (noisy[row["image"], 1].float() - clean)[grey]
        assert 0.3 < float(moved.square().mean().sqrt()) / (scale * 3.0 / 28) < 3


def test_pictures_lead_straight_to_an_image_of_another_class(mnist5k, summary, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="lenet")
    rows, pictures = measure(mnist5k, summary, folder, images=1, factors=[0.5])
    images = probe_images(mnist5k, 80, seed=0)
    (clean, _), (other, half) = (
        [row for row in rows if row["perturbation"] == kind] for kind in ("noise", "datapoint")
    )
    assert other["label"] != clean["label"] and other["way"] == 0 and half["label"] == clean["label"]
    x, z = (images[row["probe_image"] : row["probe_image"] + 1] for row in (clean, other))
    distance = float((z - x).double().norm())
    assert half["way"] == pytest.approx(3 / distance, rel=1e-5)

    def pixels(image):
        return (255 * (image * mnist5k.std + mnist5k.mean)).clamp(0, 255)

    shown = pictures["datapoint"][0].float()
    torch.testing.assert_close(shown[0], pixels(z)[0], atol=0.6, rtol=0)
    torch.testing.assert_close(shown[1], pixels(x + half["way"] * (z - x))[0], atol=0.6, rtol=0)


def test_images_of_one_class_alone_have_no_other_to_move_towards(mnist5k, summary, tmp_path):
    def answer_three(network):
        network.linear3.bias[3] += 1e6

    folder = write_training(tmp_path / "checkpoints", answer_three, name="lenet")
    threes = mnist5k.test_labels == 3
    alone = replace(mnist5k, test_images=mnist5k.test_images[threes], test_labels=mnist5k.test_labels[threes])
    with pytest.raises(InputError, match="all probe images are of one class"):
        measure(alone, summary, folder, images=1, probe=20)


def test_imagenets_classes_are_called_by_their_names_and_others_as_they_are():
    assert readable_names(["cat", "dog"]) == ("cat", "dog")
    some = ("n01440764", "n15075141")
    assert readable_names(some) == some, "only the whole thousand is known"
    pytest.importorskip("torchvision")
    info = pytest.importorskip("timm.data").ImageNetInfo()
    names = readable_names(info.label_names())
    assert len(names) == 1000 and (names[0], names[-1]) == ("tench", "toilet tissue")
    for index in (1, 250, 500, 750):
        lemmas = [lemma.strip().lower() for lemma in info.index_to_description(index).split(",")]
        assert any(names[index].lower() in lemma or lemma in names[index].lower() for lemma in lemmas)


def shown(perturbation="noise", factor=1.0, right=True, **columns):
    row = {"net": "vgg11", "image": 0, "perturbation": perturbation, "factor": factor, "right": right, "bump": True}
    return row | {"bump_r": 10.0, "contrast_norm": 20.0} | columns


def test_the_caption_says_how_large_the_noise_is_and_what_is_still_right(tmp_path):
    rows = [
        shown(kind, factor, right=factor < 4 and (image == 0 or kind == "noise"), image=image)
        for kind in ("noise", "datapoint")
        for factor in (0.0, 1.0, 4.0)
        for image in (0, 1)
    ]
    text = said("noise_bump_images", tmp_path, {"noise_bump_images": rows})
    assert "In VGG11 the bump lies at :math:`r^* =` 10, 0.50 times" in text
    assert "With noise it still gets right 2 of 2 images at :math:`r^*` and 0 of 2 images at" in text
    assert "other image it still gets right 1 of 2 images" in text
    one = [shown(kind, 2.0, bump=False) for kind in ("noise", "datapoint")]
    text = said("noise_bump_images", tmp_path, {"noise_bump_images": one})
    assert "VGG11 has no bump; its curve is largest at" in text and "the one image at :math:`2" in text


def test_too_few_right_images_and_missing_curves_are_named(mnist5k, summary, tmp_path):
    folder = write_training(tmp_path / "checkpoints", lambda network: None, name="lenet")
    with pytest.raises(InputError, match=r"noise_bump_images.images is 70, but mine gets \d+ probe images right"):
        measure(mnist5k, summary, folder, images=70)
    with pytest.raises(InputError, match="0 rows for mine, seed 3: measure it in noise_curves"):
        measure(mnist5k, summary[summary.state == "init"], folder)
