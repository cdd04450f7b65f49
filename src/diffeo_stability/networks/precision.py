"""In which precision a device trains faster."""

import torch

FAST_BFLOAT16 = (
    "avx512_bf16",
    "amx_bf16",
    "sve_bf16",
    "bf16",
)  # instructions of processors; without one it is emulated


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 numbers by itself. Where it does not, they take up to 1.8 times as long as float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in FAST_BFLOAT16)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def precision_on(device: torch.device, precision: str) -> str:
    """Return ``float32`` or ``bfloat16``: for ``auto`` the one in which the device is faster."""
    if precision != "auto":
        return precision
    return "bfloat16" if computes_bfloat16(device) else "float32"
