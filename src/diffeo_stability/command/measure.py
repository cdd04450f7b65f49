"""``diffeo-stability measure``: D, G and R of a network on a folder of images."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import InputError, lacks_memory, printable, printable_lines
from ..data.files import is_there

if TYPE_CHECKING:  # torch takes seconds to import, and --help has no use for it
    from torch import Tensor, nn

    from ..core.perturbations import PerturbationSettings
    from ..core.results import StabilityByOperation

OUTPUT = "output"
EXAMPLES = """
  diffeo-stability measure timm:resnet18 photos/
  diffeo-stability measure torchvision:vgg11_bn photos.zip --by-operation --csv vgg11.csv --plot vgg11.pdf
  PYTHONPATH=. diffeo-stability measure my_nets:net photos/ --weights net.pt --classes 10 --size 28 --mean 0.5 --std 0.5
"""


def add_measure(commands: argparse._SubParsersAction) -> None:
    """Add the command to those of a parser."""
    parser = commands.add_parser(
        "measure",
        help="D, G and R of a network on a folder of images",
        description="Measure the stability of a network to smooth deformations (D) and to noise of the same norm (G), and their "
        "ratio, relative stability (R), with 95% intervals.",
        epilog=f"examples:{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "network",
        help="timm:<name> or torchvision:<name>, with the library's own weights; a network of this package, such as vgg11; or "
        "<package.module>:<function>, as the function returns it",
    )
    parser.add_argument(
        "images", type=Path, help="a folder of images, or a .zip or .tar (.tar.gz, .tar.xz, ...) of one"
    )
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument(
        "--weights",
        metavar="FILE",
        help="a .safetensors, .pt, .pth, .pth.tar, .ckpt or .bin file of a state_dict, package:<package>/<file>, or "
        "torchvision:<weights>",
    )
    weights.add_argument(
        "--untrained",
        action="store_true",
        help="random weights; each set of images then normalises itself (batch-norm)",
    )
    _add_options(parser)
    parser.set_defaults(run=measure)


def _add_options(parser: argparse.ArgumentParser) -> None:
    expected = parser.add_argument_group("what the network expects, where its library does not say")
    expected.add_argument("--size", type=int, metavar="PIXELS", help="images are scaled and cropped to it")
    expected.add_argument(
        "--mean", type=float, nargs="+", metavar="M", help="of pixels from 0 to 1, one or one per channel"
    )
    expected.add_argument("--std", type=float, nargs="+", metavar="S", help="likewise")
    expected.add_argument("--classes", type=int, metavar="N", help="outputs of the network")
    how = parser.add_argument_group("how it is measured")
    how.add_argument(
        "--displacement", type=float, default=1.0, metavar="PIXELS", help="of the deformations (default 1)"
    )
    how.add_argument("--cutoff", type=int, default=3, metavar="C", help="of their wavenumbers (default 3)")
    how.add_argument(
        "--seed", type=int, default=0, help="of deformations, noise, intervals and random weights (default 0)"
    )
    how.add_argument(
        "--batch-size", type=int, default=60, metavar="N", help="images per pass; bounds memory (default 60)"
    )
    how.add_argument("--device", help="cpu, cuda or cuda:<index>; a GPU where there is one if not given")
    out = parser.add_argument_group("what comes out")
    out.add_argument("--by-operation", action="store_true", help="after every operation, not of the output alone")
    out.add_argument("--csv", type=Path, metavar="FILE", help="write a table: one row per operation")
    out.add_argument("--plot", type=Path, metavar="FILE", help="draw a .png, .pdf or .svg; needs matplotlib")


def measure(chosen: argparse.Namespace) -> int:
    """Measure what the command line asks for, print it and write its files.

    Returns:
        The exit status, 0.

    Raises:
        InputError: something that was asked for cannot be had.
    """
    if not is_there(chosen.images):
        raise InputError(f"{chosen.images} does not exist")  # before seconds of imports

    from . import loading, results

    results.check_files(chosen.csv, chosen.plot)
    device = loading.find_device(chosen.device)
    expected = loading.expected_by(chosen.network, chosen.size, chosen.mean, chosen.std, chosen.classes)
    images = loading.read_images(chosen.images, expected)
    network = loading.load_network(
        chosen.network,
        images.shape[1],
        expected,
        weights=chosen.weights,
        untrained=chosen.untrained,
        seed=chosen.seed,
    ).to(device)
    loading.check_takes(network, chosen.network, images)
    measured = _measured(network, images, chosen)
    print(_heading(chosen, images))
    print(printable_lines(str(measured)))
    if chosen.csv is not None:
        results.write_csv(measured, chosen.csv, _columns(chosen))
    if chosen.plot is not None:
        results.draw(measured, chosen.plot, chosen.network)
    return 0


def _measured(network: "nn.Module", images: "Tensor", chosen: argparse.Namespace) -> "StabilityByOperation":
    import torch

    from ..core.by_operation import stability_by_operation
    from ..core.results import StabilityByOperation
    from ..core.seeds import derive_seed
    from ..core.stability import relative_stability

    torch.manual_seed(derive_seed("command", chosen.seed))  # for networks that draw random numbers in evaluation
    settings: PerturbationSettings = {
        "displacement": chosen.displacement,
        "cutoff": chosen.cutoff,
        "batch_norm": _batch_norm(chosen),
        "batch_size": chosen.batch_size,
        "progress": True,
    }
    try:
        if chosen.by_operation:
            return stability_by_operation(network, images, seed=chosen.seed, **settings)
        return StabilityByOperation({OUTPUT: relative_stability(network, images, seed=chosen.seed, **settings)})
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        raise InputError(f"{chosen.batch_size} images per pass do not fit into memory: lower --batch-size") from None


def _batch_norm(chosen: argparse.Namespace) -> str:
    return "batch" if chosen.untrained else "running"


def _weights(chosen: argparse.Namespace) -> str:
    return printable(chosen.weights or ("untrained" if chosen.untrained else "its own weights"))


def _heading(chosen: argparse.Namespace, images: "Tensor") -> str:
    count, _, size, _ = images.shape
    return (
        f"{printable(chosen.network)} ({_weights(chosen)}) on {count} images of {size} x {size} pixels, "
        f"displacement {chosen.displacement:g}; in brackets 95% intervals over images"
    )


def _columns(chosen: argparse.Namespace) -> dict:
    """The columns of a table that say what was measured."""
    return {
        "network": printable(chosen.network),
        "weights": _weights(chosen),
        "displacement": chosen.displacement,
        "cutoff": chosen.cutoff,
        "batch_norm": _batch_norm(chosen),
        "seed": chosen.seed,
    }
