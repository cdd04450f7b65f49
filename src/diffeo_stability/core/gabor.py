r"""Gabor functions, and the one that is nearest to a filter.

A Gabor function is a plane wave under a Gaussian,

.. math:: A \exp\left(-\frac{u^2}{2 \sigma_u^2} - \frac{v^2}{2 \sigma_v^2}\right) \cos(2 \pi f u + \varphi),

with u along the wave vector and v across it, both from the centre of the Gaussian.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares
from torch import Tensor

from .errors import InputError

SMALLEST_FILTER = 5  # pixels along a side; smaller filters have hardly more pixels than a Gabor function has parameters
# Cycles per pixel; nearer to 0 and to 0.5, beyond which waves are aliased, cosine and sine are the same on all pixels
FREQUENCIES = (0.02, 0.48)
SMALLEST_SIGMA = 0.5  # pixels
STARTS = 6  # of the refinement, per filter
DISTINCT = 0.7  # two starts have a cosine below this between the functions that they draw


@dataclass(frozen=True)
class Gabor:
    """Parameters of a Gabor function on the pixels of a filter.

    Attributes:
        amplitude: A, at least 0.
        frequency: f, cycles per pixel.
        orientation: direction of the wave vector, from x (columns, rightwards) towards y (rows, downwards), radians in
            ``[0, pi)``.
        phase: of the wave at the centre of the Gaussian, radians in ``[-pi, pi]``.
        centre_x, centre_y: of the Gaussian, pixels from the centre of the filter.
        sigma_along, sigma_across: standard deviations of the Gaussian along the wave vector and across it, pixels.
    """

    amplitude: float
    frequency: float
    orientation: float
    phase: float
    centre_x: float
    centre_y: float
    sigma_along: float
    sigma_across: float

    @property
    def bandwidth(self) -> float:
        """Octaves between the two frequencies at half the largest amplitude; infinite if the lower would be below 0."""
        half = math.sqrt(2 * math.log(2)) / (2 * math.pi * self.sigma_along)
        if math.isnan(half) or half >= self.frequency:
            return half + math.inf
        return math.log2((self.frequency + half) / (self.frequency - half))


UNDEFINED = Gabor(  # of a filter without variance
    amplitude=math.nan,
    frequency=math.nan,
    orientation=math.nan,
    phase=math.nan,
    centre_x=math.nan,
    centre_y=math.nan,
    sigma_along=math.nan,
    sigma_across=math.nan,
)


def gabor(parameters: Gabor, size: int) -> np.ndarray:
    """Return a Gabor function on the ``size x size`` pixels of a filter, ``(size, size)`` float64."""
    u, v = _rotated(size, parameters.orientation, parameters.centre_x, parameters.centre_y)
    envelope = _envelope(u, v, parameters.sigma_along, parameters.sigma_across)
    wave = np.cos(2 * math.pi * parameters.frequency * u + parameters.phase)
    return (parameters.amplitude * envelope * wave).reshape(size, size)


def r_squared(filter_: np.ndarray, fit: np.ndarray) -> float:
    """Share of a filter's variance over pixels that a fit explains; NaN if all pixels are the same."""
    variance = np.square(filter_ - filter_.mean()).sum()
    return float(1 - np.square(filter_ - fit).sum() / variance) if variance > 0 else math.nan


def fit_gabor(filters: Tensor | ArrayLike) -> list[Gabor]:
    """Fit a Gabor function to each filter by least squares over its pixels.

    A search over a grid gives several distinct starts, each is refined, and the best is taken. Amplitude and phase are
    linear and solved for at every step (variable projection).

    Args:
        filters: ``(F, k, k)``, floating point.

    Returns:
        The ``F`` fits: frequencies in ``FREQUENCIES``, standard deviations from ``SMALLEST_SIGMA`` to k, centres inside
        the filter. All parameters of a filter without variance are NaN.

    Raises:
        InputError: filters that are not square, or of fewer than 5 pixels along a side.
    """
    filters = np.asarray(filters.detach().cpu() if isinstance(filters, Tensor) else filters, dtype=np.float64)
    if filters.ndim != 3 or filters.shape[1] != filters.shape[2] or filters.shape[1] < SMALLEST_FILTER:
        raise InputError(
            f"filters have shape {filters.shape}: a Gabor function needs (F, k, k) with k at least {SMALLEST_FILTER}; "
            "set filter_size of the network"
        )
    size = filters.shape[1]
    grid = _grid(size)
    bases = _orthonormal(*_waves(grid, size))
    return [_fit_filter(filter_, grid, bases) for filter_ in filters]


def _rotated(
    size: int, orientation: ArrayLike, centre_x: ArrayLike, centre_y: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates u and v of all pixels, ``(..., size^2)``, for parameters that are numbers or ``(..., 1)``."""
    y, x = np.indices((size, size)).reshape(2, -1) - (size - 1) / 2
    x, y = x - centre_x, y - centre_y
    return np.cos(orientation) * x + np.sin(orientation) * y, np.cos(orientation) * y - np.sin(orientation) * x


def _envelope(u: np.ndarray, v: np.ndarray, sigma_along: ArrayLike, sigma_across: ArrayLike) -> np.ndarray:
    return np.exp(-np.square(u / sigma_along) / 2 - np.square(v / sigma_across) / 2)


def _waves(shape: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine under the Gaussian, ``(..., size^2)`` each.

    Args:
        shape: all parameters but amplitude and phase, ``(..., 6)``.
    """
    frequency, orientation, centre_x, centre_y, sigma_along, sigma_across = np.moveaxis(shape, -1, 0)[..., None]
    u, v = _rotated(size, orientation, centre_x, centre_y)
    envelope = _envelope(u, v, sigma_along, sigma_across)
    return envelope * np.cos(2 * math.pi * frequency * u), envelope * np.sin(2 * math.pi * frequency * u)


def _orthonormal(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Orthonormal bases ``(..., 2, n)`` of the span of two vectors ``(..., n)``."""
    first = first / np.linalg.norm(first, axis=-1, keepdims=True)
    rest = second - (first * second).sum(-1, keepdims=True) * first
    return np.stack((first, rest / np.linalg.norm(rest, axis=-1, keepdims=True)), -2)


def _grid(size: int) -> np.ndarray:
    """Shapes to start from, ``(points, 6)``."""
    centres = np.linspace(-0.3, 0.3, 5) * size
    sigmas = size * np.array([0.1, 0.2, 0.4])
    # Frequencies as far apart as a filter of this size can tell them
    lowest, highest = FREQUENCIES
    frequencies = np.linspace(lowest, highest * 0.9, math.ceil(size * 0.8))
    orientations = np.arange(8) * math.pi / 8
    axes = np.meshgrid(frequencies, orientations, centres, centres, sigmas, sigmas, indexing="ij")
    return np.stack(axes, -1).reshape(-1, 6)


def _fit_filter(filter_: np.ndarray, grid: np.ndarray, bases: np.ndarray) -> Gabor:
    """Fit one filter ``(k, k)``; ``bases (points, 2, k^2)`` are those of the grid."""
    size, scale = len(filter_), np.linalg.norm(filter_)
    if np.ptp(filter_) == 0:
        return UNDEFINED
    target = filter_.ravel() / scale
    ends, steps = _ends(size), _steps(size)
    refined = [
        least_squares(_residual, start, _jacobian, bounds=ends, x_scale=steps, ftol=1e-7, max_nfev=100, args=(target,))
        for start in _distinct_starts(target, grid, bases)
    ]
    return _complete(min(refined, key=lambda result: result.cost).x, target, scale)


def _ends(size: int) -> tuple[list[float], list[float]]:
    """Smallest and largest values of the parameters of a shape."""
    lowest, highest = FREQUENCIES
    edge = (size - 1) / 2
    return (
        [lowest, -math.inf, -edge, -edge, SMALLEST_SIGMA, SMALLEST_SIGMA],
        [highest, math.inf, edge, edge, size, size],
    )


def _steps(size: int) -> np.ndarray:
    """Changes of the parameters of a shape that change a Gabor function about as much as each other."""
    return np.array([0.5 / size, 0.5, 1.0, 1.0, 1.0, 1.0])


def _distinct_starts(target: np.ndarray, grid: np.ndarray, bases: np.ndarray) -> list[np.ndarray]:
    """The best points of the grid among those that do not draw the same function as a better one."""
    products = bases @ target
    captured = np.square(products).sum(1)
    drawn = np.einsum("pi,pin->pn", products, bases) / np.sqrt(captured[:, None])
    starts = []
    for _ in range(STARTS):
        best = int(captured.argmax())
        starts.append(grid[best])
        captured = np.where(drawn @ drawn[best] < DISTINCT, captured, -1)
    return starts


def _residual(shape: np.ndarray, target: np.ndarray) -> np.ndarray:
    basis = _orthonormal(*_waves(shape, math.isqrt(len(target))))
    return target - (basis @ target) @ basis


def _jacobian(shape: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Derivative of :func:`_residual`, ``(k^2, 6)``, in Kaufman's approximation: the linear part only as it projects.

    Source: L. Kaufman, "A variable projection method for solving separable nonlinear least squares problems", 1975.
    """
    size = math.isqrt(len(target))
    frequency, orientation, centre_x, centre_y, sigma_along, sigma_across = shape
    waves = np.stack(_waves(shape, size))
    basis = _orthonormal(*waves)
    cosine, sine = _linear_part(waves, target)
    model, quadrature = cosine * waves[0] + sine * waves[1], sine * waves[0] - cosine * waves[1]
    u, v = _rotated(size, orientation, centre_x, centre_y)
    along = 2 * math.pi * frequency * quadrature - u / sigma_along**2 * model
    across = -v / sigma_across**2 * model
    cos, sin = math.cos(orientation), math.sin(orientation)
    slopes = np.stack(
        (
            2 * math.pi * u * quadrature,
            v * along - u * across,
            sin * across - cos * along,
            -sin * along - cos * across,
            u**2 / sigma_along**3 * model,
            v**2 / sigma_across**3 * model,
        )
    )
    return ((slopes @ basis.T) @ basis - slopes).T


def _linear_part(waves: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Factors of cosine and sine that come nearest to the target."""
    return np.linalg.lstsq(waves.T, target, rcond=None)[0]


def _complete(shape: np.ndarray, target: np.ndarray, scale: float) -> Gabor:
    """Parameters of the best function of a shape, amplitude and phase included."""
    frequency, orientation, centre_x, centre_y, sigma_along, sigma_across = map(float, shape)
    cosine, sine = _linear_part(np.stack(_waves(shape, math.isqrt(len(target)))), target)
    phase, turns = math.atan2(-sine, cosine), math.floor(orientation / math.pi)
    return Gabor(
        amplitude=float(scale * math.hypot(cosine, sine)),
        frequency=frequency,
        orientation=orientation - turns * math.pi,
        phase=-phase if turns % 2 else phase,  # seen from the other side, the wave runs backwards
        centre_x=centre_x,
        centre_y=centre_y,
        sigma_along=sigma_along,
        sigma_across=sigma_across,
    )
