"""Verifies that packages are installed that only some functions need, and that an extra of this package installs."""

import importlib.util
from collections.abc import Iterable


def require_packages(names: Iterable[str], purpose: str, extra: str) -> None:
    """Raises an ImportError if packages are missing, which names them and the command that installs them.

    Args:
        names: names of the packages.
        purpose: the purpose of the packages, such as "an ONNX file".
        extra: the extra of this package that installs them.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"Did not find the packages {', '.join(missing)}. Expected them for {purpose}. Install them: "
            f'pip install "keras-hrnet[{extra}]".'
        )
