"""Convolution on PyTorch that computes the gradient of its kernel in the memory layout that is fastest on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    import torch

# With fewer channels, the copies would take as long as they save; see examples/benchmarks/gradients.py.
LEAST_CHANNELS = 48


def conv2d(inputs: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, **options: Any) -> torch.Tensor:
    """Convolves maps as `torch.nn.functional.conv2d` does, and computes the gradient of large kernels faster on a CPU.

    If the channels of the maps are last in memory, oneDNN computes the convolution and the gradient of the maps at
    least as fast as if they were first, but takes up to 2.7 times as long for the gradient of a 3x3 kernel
    (`examples/benchmarks/gradients.py`). The maps are therefore copied for this gradient alone.

    Args:
        inputs: `(batch, channels, height, width)`, with channels last in memory.
        kernel: `(filters, channels / groups, height, width)`.
        bias: `(filters,)`, or None.
        **options: stride, padding, dilation and groups, as of `torch.nn.functional.conv2d`. Padding is a number, or
            "valid" or "same".

    Returns:
        `(batch, filters, height, width)`: what `torch.nn.functional.conv2d` returns. The gradients differ by rounding.
    """
    from torch.nn import functional

    if not _gains_from_copies(inputs, kernel, options):
        return functional.conv2d(inputs, kernel, bias, **options)
    return _with_copies_for_the_kernel(options, inputs.requires_grad)(inputs, kernel, bias)


def _gains_from_copies(inputs: torch.Tensor, kernel: torch.Tensor, options: dict[str, Any]) -> bool:
    import torch

    filters, channels, height, width = kernel.shape
    is_large = height * width > 1 and min(filters, channels) >= LEAST_CHANNELS and options["groups"] == 1
    # PyTorch pads an even kernel more on one side than on the other.
    is_symmetric = options["padding"] != "same" or height % 2 == width % 2 == 1
    is_trained = kernel.requires_grad and torch.is_grad_enabled()
    on_cpu = inputs.device.type == "cpu" and inputs.dtype == torch.float32
    return is_large and is_symmetric and is_trained and on_cpu


def _borders(options: dict[str, Any], kernel: torch.Tensor) -> tuple[int, ...]:
    """Returns the rows and columns of zeros on each side of a map."""
    if options["padding"] == "same":
        return tuple(
            dilation * (size // 2) for dilation, size in zip(options["dilation"], kernel.shape[2:], strict=True)
        )
    return (0, 0) if options["padding"] == "valid" else (options["padding"],) * 2


def _with_copies_for_the_kernel(options: dict[str, Any], by_inputs: bool) -> Callable[..., torch.Tensor]:
    import torch

    @keras.ops.custom_gradient
    def convolve(
        inputs: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None
    ) -> tuple[torch.Tensor, Callable]:
        y = torch.nn.functional.conv2d(inputs, kernel, bias, **options)

        def gradient(
            inputs: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, upstream: torch.Tensor
        ) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor | None]:
            def derive(*tensors: torch.Tensor, mask: list[bool]) -> tuple[torch.Tensor | None, ...]:
                sizes = None if bias is None else bias.shape
                how = options["stride"], _borders(options, kernel), options["dilation"]
                return torch.ops.aten.convolution_backward(*tensors, sizes, *how, False, (0, 0), 1, mask)

            # oneDNN computes the gradient of the bias together with that of the kernel.
            copies = upstream.contiguous(), inputs.contiguous(), kernel.contiguous()
            _, by_kernel, by_bias = derive(*copies, mask=[False, True, bias is not None])
            by_input, _, _ = derive(upstream, inputs, kernel, mask=[by_inputs, False, False])
            return by_input, by_kernel, by_bias

        return y, gradient

    return convolve
