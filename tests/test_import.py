import os
import subprocess
import sys

import pytest

import keras_hrnet


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_importing_the_package_leaves_tensorflow_alone(backend):
    others = {"tensorflow", "torch", "jax"} - {backend}
    code = f"import keras, sys; old = set(sys.modules); import keras_hrnet; print({others} & (set(sys.modules) - old))"
    result = run(code, KERAS_BACKEND=backend)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "set()"


def test_every_public_name_is_there_and_documented():
    for name in keras_hrnet.__all__:
        value = getattr(keras_hrnet, name)
        assert name == "__version__" or value.__doc__, f"{name} has no docstring"
