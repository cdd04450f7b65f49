"""Forward passes through nothing but what one place of a layer depends on: its receptive field.

All channels at a place of a convolutional layer see the same pixels. Feeding these alone, with the zeros that the operations
would have added at the image's border, gives the very activations of the whole image at a small part of the cost.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .errors import InputError
from .operations import evaluating, observing

POINTWISE = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.BatchNorm2d,
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
)
ACTIVATIONS_AT_A_TIME = 2**24  # numbers in the largest activation of a batch of crops: 64 MB in single precision


class Window(NamedTuple):
    """What an operation reads along one axis: for output ``i``, ``kernel`` inputs from ``stride * i - before`` on."""

    kernel: int
    stride: int
    before: int
    after: int

    def read_by(self, start: int, stop: int) -> tuple[int, int]:
        """Return the first input that the outputs from ``start`` on read, and the one after the last, padding included."""
        return start * self.stride - self.before, (stop - 1) * self.stride - self.before + self.kernel


class Crop(NamedTuple):
    """What a place depends on along one axis.

    Attributes:
        start, stop: pixels of the image, ``stop`` excluded.
        padding: how many zeros each operation adds before and after what is passed on to it; -1 cuts one off.
    """

    start: int
    stop: int
    padding: tuple[tuple[int, int], ...]


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def windows_of(operation: nn.Module) -> tuple[Window, Window] | None:
    """Return what an operation reads along rows and along columns; nothing if it does not slide a window over its input."""
    if isinstance(operation, POINTWISE):
        return Window(1, 1, 0, 0), Window(1, 1, 0, 0)
    if isinstance(operation, nn.ZeroPad2d):
        left, right, top, bottom = operation.padding
        return Window(1, 1, top, bottom), Window(1, 1, left, right)
    padding_and_dilation = _padding_and_dilation(operation)
    if padding_and_dilation is None:
        return None
    kernel, stride = _pair(operation.kernel_size), _pair(operation.stride)
    along = zip(kernel, stride, *padding_and_dilation, strict=True)
    return tuple(Window((k - 1) * d + 1, s, p, p) for k, s, p, d in along)


def _padding_and_dilation(operation: nn.Module) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Padding and dilation of a convolution or pooling, along rows and along columns each; nothing for what is neither."""
    if isinstance(operation, nn.Conv2d) and operation.padding_mode == "zeros" and operation.padding != "same":
        return (0, 0) if operation.padding == "valid" else operation.padding, operation.dilation
    if isinstance(operation, nn.MaxPool2d) and not operation.ceil_mode:
        return _pair(operation.padding), _pair(operation.dilation)
    if isinstance(operation, nn.AvgPool2d) and not operation.ceil_mode and _pair(operation.padding) == (0, 0):
        return (0, 0), (1, 1)
    return None


def sequence_of(network: nn.Module) -> dict[str, nn.Module]:
    """Return the operations, by name, that a network applies one after the other while each slides a window over its input.

    They end where the network flattens, or averages over all places. A network that is no ``Sequential`` is taken to begin with
    its first child.
    """
    operations = {}
    for name, operation in _in_a_row(network):
        if windows_of(operation) is None:
            break
        operations[name] = operation
    return operations


def _in_a_row(module: nn.Module, name: str = "") -> list[tuple[str, nn.Module]]:
    children = list(module.named_children())
    if not children:
        return [(name, module)]
    if not isinstance(module, nn.Sequential):
        children = children[:1] if not name else []
    nested = [_in_a_row(child, f"{name}.{child_name}" if name else child_name) for child_name, child in children]
    return [pair for pairs in nested for pair in pairs] or [(name, module)]


@dataclass(frozen=True)
class Axis:
    """Geometry of a sequence of operations along one axis.

    Attributes:
        windows: of each operation.
        size: pixels of the image.
    """

    windows: tuple[Window, ...]
    size: int

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Size of each operation's input, and last of the output."""
        sizes = [self.size]
        for window in self.windows:
            sizes.append((sizes[-1] + window.before + window.after - window.kernel) // window.stride + 1)
        return tuple(sizes)

    @cached_property
    def stride(self) -> int:
        """Pixels between the receptive fields of neighbouring places."""
        stride = 1
        for window in self.windows:
            stride *= window.stride
        return stride

    def receptive_field(self, place: int) -> tuple[int, int]:
        """Return the first pixel of a place's receptive field and the one after its last, as if the image had no border."""
        start, stop = place, place + 1
        for window in reversed(self.windows):
            start, stop = window.read_by(start, stop)
        return start, stop

    def centre(self, place: int) -> float:
        """Return the middle of a place's receptive field in pixels; 0 is the middle of the first pixel."""
        start, stop = self.receptive_field(place)
        return (start + stop - 1) / 2

    def crop(self, place: int) -> Crop:
        """Return what a place depends on, the image's border considered."""
        return self._crops[place]

    @cached_property
    def _crops(self) -> tuple[Crop, ...]:
        return tuple(map(self._crop, range(self.sizes[-1])))

    def _crop(self, place: int) -> Crop:
        start, stop, padding = place, place + 1, []
        for window, size in zip(reversed(self.windows), self.sizes[-2::-1], strict=True):
            start, stop, zeros = _within(*window.read_by(start, stop), size)
            padding.append(zeros)
        return Crop(start, stop, tuple(reversed(padding)))


def _within(start: int, stop: int, size: int) -> tuple[int, int, tuple[int, int]]:
    """What of a stretch of inputs lies within the ``size`` that there are, and the zeros to add before and after it."""
    length = stop - start
    before, after = min(max(-start, 0), length), min(max(stop - size, 0), length)
    if before + after < length:
        return max(start, 0), min(stop, size), (before, after)
    # The stretch lies in the padding altogether: one input is fed, which is then cut off
    return (0, 1, (length, -1)) if before else (size - 1, size, (-1, length))


class Place(NamedTuple):
    """A place of a layer."""

    row: int
    column: int


class LayerView:
    """What the places of one layer of a network see of an image, and the layer's activations from that alone.

    Args:
        operations: those of the network, in a row, from the image to the layer; see :func:`sequence_of`.
        image_size: pixels along a side of the images.
    """

    def __init__(self, operations: Sequence[nn.Module], image_size: int):
        self._operations = list(operations)
        windows = list(zip(*map(windows_of, self._operations), strict=True))
        self.rows, self.columns = (Axis(along, image_size) for along in windows)
        if min(*self.rows.sizes, *self.columns.sizes) < 1:
            raise InputError(
                f"images of {image_size} x {image_size} pixels are too small for the layer: nothing is left of them"
            )

    @property
    def places(self) -> list[Place]:
        """All places of the layer, row by row."""
        return [Place(row, column) for row in range(self.rows.sizes[-1]) for column in range(self.columns.sizes[-1])]

    def crops(self, place: Place) -> tuple[Crop, Crop]:
        """Return what a place depends on along rows and along columns."""
        return self.rows.crop(place.row), self.columns.crop(place.column)

    def offsets(self, place: Place) -> Tensor:
        """Return every pixel that a place depends on, from the centre of its receptive field: ``(h, w, 2)``, x then y."""
        along = (
            torch.arange(crop.start, crop.stop, dtype=torch.float64) - axis.centre(index)
            for axis, index, crop in zip((self.rows, self.columns), place, self.crops(place), strict=True)
        )
        y, x = torch.meshgrid(*along, indexing="ij")
        return torch.stack((x, y), dim=-1)

    @torch.no_grad()
    def activations(self, images: Tensor, places: Sequence[Place], matrices: Tensor, shifts: Tensor) -> Tensor:
        """Return the activations at places when what each one sees is displaced by an affine field about its own centre.

        A place with the centre ``c`` of its receptive field sees ``x(s - tau(s))``, with ``tau(s) = U (s - c) + t``,
        interpolated bilinearly and clamped at the image's border, as :func:`~diffeo_stability.remap` does.

        Args:
            images: ``(P, C, n, n)``.
            places: any places of the layer.
            matrices: ``U`` of each place and image, ``(places, P, 2, 2)``; x first.
            shifts: ``t``, ``(places, P, 2)``, in pixels.

        Returns:
            ``(places, P, channels)``.
        """

        def forward(numbers: Tensor, together: Sequence[Place]) -> Tensor:
            return self._forward(self._displaced(together, images, matrices[numbers], shifts[numbers]), together[0])

        return self._part_by_part(places, len(images), forward)

    @torch.no_grad()
    def changes(self, images: Tensor, places: Sequence[Place], matrices: Tensor, shifts: Tensor) -> Tensor:
        r"""Return how much affine fields change what places see: :math:`|\tau x - x|` over what each depends on.

        Args:
            images, places, matrices, shifts: as :meth:`activations` takes them.

        Returns:
            ``(places, P)``, in the images' units.
        """

        def change(numbers: Tensor, together: Sequence[Place]) -> Tensor:
            displaced = self._displaced(together, images, matrices[numbers], shifts[numbers])
            return torch.linalg.vector_norm((displaced - self._seen(together, images)).flatten(1), dim=1)

        return self._part_by_part(places, len(images), change)[..., 0]

    def _seen(self, places: Sequence[Place], images: Tensor) -> Tensor:
        """What places with crops of one shape see, as it is: ``(places * P, C, h, w)``."""
        crops = [self.crops(place) for place in places]
        return torch.cat([images[:, :, row.start : row.stop, column.start : column.stop] for row, column in crops])

    def _part_by_part(
        self, places: Sequence[Place], images: int, compute: Callable[[Tensor, Sequence[Place]], Tensor]
    ) -> Tensor:
        """Compute something of places whose crops have one shape together, a bounded number at a time: ``(places, P, numbers)``.

        Args:
            compute: takes the numbers of some places, and these places; returns a row for each place and image.
        """
        parts, order = [], []
        for alike in self._with_crops_alike(places):
            order += alike
            for numbers in torch.tensor(alike).split(self._places_at_a_time(places[alike[0]], images)):
                together = [places[number] for number in numbers]
                parts.append(compute(numbers, together).view(len(together), images, -1))
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order)] = torch.arange(len(order))
        return torch.cat(parts)[back]

    def _with_crops_alike(self, places: Sequence[Place]) -> list[list[int]]:
        """Numbers of the places, those whose crops have one shape and one padding together."""

        def shape(number: int) -> tuple:
            row, column = self.crops(places[number])
            return row.padding, column.padding, row.stop - row.start, column.stop - column.start

        return [list(numbers) for _, numbers in groupby(sorted(range(len(places)), key=shape), key=shape)]

    def _places_at_a_time(self, place: Place, images: int) -> int:
        """So many that the largest activation of their crops has a bounded size."""
        row, column = self.crops(place)
        height, width, channels, largest = row.stop - row.start, column.stop - column.start, 1, 1
        for operation, window_y, window_x, pad_y, pad_x in zip(
            self._operations, self.rows.windows, self.columns.windows, row.padding, column.padding, strict=True
        ):
            largest = max(largest, channels * (height + sum(pad_y)) * (width + sum(pad_x)))
            height = (height + sum(pad_y) - window_y.kernel) // window_y.stride + 1
            width = (width + sum(pad_x) - window_x.kernel) // window_x.stride + 1
            channels = getattr(operation, "out_channels", channels)
            largest = max(largest, channels * height * width)
        return max(1, ACTIVATIONS_AT_A_TIME // (images * largest))

    def _displaced(self, places: Sequence[Place], images: Tensor, matrices: Tensor, shifts: Tensor) -> Tensor:
        """What places with crops of one shape see, ``(places * P, C, h, w)``."""
        size = images.shape[-1]
        offsets = torch.stack([self.offsets(place) for place in places])
        centres = torch.tensor([(self.columns.centre(place.column), self.rows.centre(place.row)) for place in places])
        offsets, centres = (part.to(images.device, torch.float64) for part in (offsets, centres))
        count, height = offsets.shape[:2]
        keep = torch.eye(2, dtype=torch.float64, device=images.device) - matrices.to(offsets)
        # One row of sampling places per image, so that the images need not be repeated
        seen = torch.einsum("kpab,khwb->pkhwa", keep, offsets)
        seen += (centres[:, None] - shifts.to(offsets)).permute(1, 0, 2)[:, :, None, None]
        grid = (seen / ((size - 1) / 2) - 1).to(images.dtype).flatten(1, 2)
        crops = F.grid_sample(images, grid, padding_mode="border", align_corners=True)
        return crops.unflatten(2, (count, height)).permute(2, 0, 1, 3, 4).flatten(0, 1)

    def _forward(self, x: Tensor, place: Place) -> Tensor:
        """Activations ``(B, channels)`` from crops of the shape that a place's have."""
        row, column = self.crops(place)
        for operation, pad_y, pad_x in zip(self._operations, row.padding, column.padding, strict=True):
            x = _without_padding(operation, x, (*pad_x, *pad_y))
        return x.flatten(1)


def _without_padding(operation: nn.Module, x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    """An operation with this padding (left, right, top, bottom) in place of its own."""
    if any(padding):
        x = F.pad(x, padding, value=-torch.inf if isinstance(operation, nn.MaxPool2d) else 0.0)
    if isinstance(operation, nn.Conv2d):
        return F.conv2d(x, operation.weight, operation.bias, operation.stride, 0, operation.dilation, operation.groups)
    if isinstance(operation, nn.MaxPool2d):
        return F.max_pool2d(x, operation.kernel_size, operation.stride, 0, operation.dilation)
    if isinstance(operation, nn.ZeroPad2d):
        return x
    return operation(x)


def activations_of(network: nn.Module, names: Collection[str], images: Tensor) -> dict[str, Tensor]:
    """Return the activations of the named operations of a network, ``(P, channels, rows, columns)`` each, in one pass."""
    kept: dict[str, Tensor] = {}

    def keep(name: str, output: Tensor) -> None:
        if name in names:
            kept[name] = output.clone()

    with evaluating(network), observing(network, keep):
        network(images.clone())  # a network may change its input in place
    return kept


@torch.no_grad()
def views_of(network: nn.Module, kind: type[nn.Module], image_size: int, channels: int) -> dict[str, LayerView]:
    """Return the views of all layers of a kind of operation, by name, of a network that is a plain sequence.

    Raises:
        InputError: the network has no such layer before it flattens, or is no plain sequence of operations up to the last one.
    """
    operations = sequence_of(network)
    names = [name for name, operation in operations.items() if isinstance(operation, kind)]
    if not names:
        raise InputError(
            f"the network has no {kind.__name__} after convolutions in a row: only plain sequences, such as VGGs, have neurons "
            "whose receptive fields can be fed alone"
        )
    in_a_row = list(operations.values())
    views = {name: LayerView(in_a_row[: list(operations).index(name) + 1], image_size) for name in names}
    _check_views(network, views, image_size, channels)
    return views


def _check_views(network: nn.Module, views: Mapping[str, LayerView], image_size: int, channels: int) -> None:
    """Check on two images of noise that the views' activations are those of the whole network."""
    images = torch.randn(2, channels, image_size, image_size, generator=torch.Generator().manual_seed(0))
    images = images.to(next(network.parameters()))
    nothing = torch.zeros(2, 2, 2, 2), torch.zeros(2, 2, 2)
    with evaluating(network):
        for name, whole in activations_of(network, views, images).items():
            places = views[name].places
            corner_and_middle = [places[0], places[len(places) // 2]]
            cropped = views[name].activations(images, corner_and_middle, *nothing)
            expected = torch.stack([whole[:, :, *place] for place in corner_and_middle])
            if not torch.allclose(cropped, expected, rtol=1e-3, atol=1e-4):
                raise InputError(f"the network does not apply its operations one after the other up to {name}")
