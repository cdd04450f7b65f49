"""How deep nets become stable to smooth deformations of images.

>>> from diffeo_stability import relative_stability
>>> relative_stability(model, images).relative.value  # doctest: +SKIP

Names are imported when first used, so that a job pays only for what it needs.
"""

from importlib import import_module

__version__ = "0.1.0"

HOMES = {
    "InputError": "errors",
    "build_network": "architectures",
    "compression_matrix": "field_decomposition",
    "decompose_gradient": "field_decomposition",
    "deform": "deformation",
    "displacement_field": "deformation",
    "displacement_from_temperature": "deformation",
    "laplacian_eigenspaces": "laplacian_spectra",
    "laplacian_spectrum": "laplacian_spectra",
    "load_images": "image_folder",
    "pure_shear_matrix": "field_decomposition",
    "radial_power_spectrum": "activation_spectra",
    "relative_stability": "stability",
    "remap": "deformation",
    "rms_displacement": "deformation",
    "rotation_matrix": "field_decomposition",
    "sample_coefficients": "deformation",
    "stability_by_operation": "stability",
    "temperature_from_displacement": "deformation",
    "temperature_range": "deformation",
}

__all__ = ["__version__", *HOMES]


def __getattr__(name: str):
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *HOMES])
