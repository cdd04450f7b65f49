"""D, G and R of a training."""

from diffeo_stability import build_network, relative_stability
from diffeo_stability.core.seeds import generator_for
from diffeo_stability.data.datasets import normalise, split_dataset
from diffeo_stability.data.probe import probe_images
from diffeo_stability.figures.measuring import load_network
from diffeo_stability.figures.registry import Given
from diffeo_stability.figures.settings import Probe
from diffeo_stability.figures.stability import Stability
from diffeo_stability.figures.stability.measurement import measure_stability
from diffeo_stability.networks.checkpoints import list_checkpoints
from diffeo_stability.networks.settings import Recipe
from diffeo_stability.networks.training import train_network


def test_a_training_is_measured_at_init_and_trained(mnist5k, tmp_path):
    network = {"name": "lenet", "in_channels": 1, "image_size": 28, "classes": 10}
    split = {"validation_images": 100, "seed": 0, "train_size": 200, "label_count": None}
    recipe = Recipe(epochs=2, learning_rate=0.02, batch_size=20, weight_decay=0.0)
    metadata = {"net": "mine", "network": network, "split": split}
    folder = tmp_path / "checkpoints"
    train_network(
        lambda: build_network(**network),
        split_dataset(mnist5k, **split),
        recipe,
        folder,
        seed=3,
        checkpoints=2,
        metadata=metadata,
    )
    probe = Probe(images=80, resamples=100)
    rows = measure_stability(Given(settings=Stability(), probe=probe, checkpoints=folder, dataset=mnist5k)).table
    assert [(row["net"], row["seed"], row["state"], row["epoch"]) for row in rows] == [
        ("mine", 3, "init", 0),
        ("mine", 3, "trained", 2),
    ]
    assert all(row["train_size"] == 200 and row["images"] == 80 for row in rows)
    trained, _ = load_network(list_checkpoints(folder)[-1], "cpu")
    by_hand = relative_stability(
        trained, probe_images(mnist5k, 80, 0), resamples=100, generator=generator_for("perturbations", 0)
    )
    assert rows[1]["R"] == by_hand.relative.value and rows[1]["G_high"] == by_hand.noise.high
    logits = trained(normalise(mnist5k.test_images, mnist5k.mean, mnist5k.std))
    error = (logits.argmax(1) != mnist5k.test_labels).double().mean()
    best, second = logits.topk(2).values.T
    undecided = (best - second < 1e-5 * logits.std()).double().mean()  # but for rounding, which batches change
    assert abs(rows[1]["test_error"] - error) <= undecided + 1e-9
    assert rows[1]["test_error_low"] < rows[1]["test_error"] < rows[1]["test_error_high"]
