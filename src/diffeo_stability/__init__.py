"""How deep nets become stable to smooth deformations of images.

>>> from diffeo_stability import relative_stability
>>> relative_stability(model, images).relative.value  # doctest: +SKIP

Names are imported when first used, so that a job pays only for what it needs.
"""

from importlib import import_module

__version__ = "0.1.0"

HOMES = {
    "InputError": "core.errors",
    "RelativeStabilityMetric": "metric",
    "build_network": "networks.build",
    "compression_matrix": "core.gradients",
    "decompose_gradient": "core.gradients",
    "deform": "core.deformation",
    "displacement_field": "core.deformation",
    "displacement_from_temperature": "core.deformation",
    "laplacian_eigenspaces": "core.laplacian",
    "laplacian_spectrum": "core.laplacian",
    "load_images": "data.folders",
    "pure_shear_matrix": "core.gradients",
    "radial_power_spectrum": "core.spectra",
    "relative_stability": "core.stability",
    "remap": "core.deformation",
    "rms_displacement": "core.deformation",
    "rotation_matrix": "core.gradients",
    "sample_coefficients": "core.deformation",
    "stability_by_operation": "core.by_operation",
    "temperature_from_displacement": "core.deformation",
    "temperature_range": "core.deformation",
}

__all__ = ["__version__", *HOMES]


def __getattr__(name: str):
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *HOMES])
