"""Asks for packages that only some functions need, and that an extra of this package brings."""

import importlib.util
from collections.abc import Iterable


def require_packages(names: Iterable[str], purpose: str, extra: str) -> None:
    """Raises an ImportError that names the packages that are missing, and how to install them.

    Args:
        names: of the packages.
        purpose: what they are for, such as "an ONNX file".
        extra: the extra of this package that brings them.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"Did not find the packages {', '.join(missing)}. Expected them for {purpose}. Install them: "
            f'pip install "keras-hrnet[{extra}]".'
        )
