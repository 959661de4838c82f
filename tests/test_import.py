import os
import subprocess
import sys

import pytest

import keras_hrnet


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.once  # Each backend is tried in a process of its own.
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_importing_the_package_leaves_tensorflow_alone(backend):
    others = {"tensorflow", "torch", "jax"} - {backend}
    code = (
        "import keras, sys; old = set(sys.modules); import keras_hrnet, keras_hrnet.data; "
        f"print({others} & (set(sys.modules) - old))"
    )
    result = run(code, KERAS_BACKEND=backend)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "set()"


@pytest.mark.once
def test_pipelines_and_exports_are_imported_when_they_are_asked_for():
    code = """
import sys, keras_hrnet
later = {"keras_hrnet.data", "keras_hrnet.export"}
assert not later & set(sys.modules)
assert {*keras_hrnet.__all__, "export"} <= set(dir(keras_hrnet))
assert keras_hrnet.data.cityscapes and keras_hrnet.export_tflite is keras_hrnet.export.export_tflite
assert later < set(sys.modules)
from keras_hrnet import *
assert ExportReport
"""
    result = run(code)
    assert result.returncode == 0, result.stderr


def test_a_name_that_is_not_there_is_said():
    with pytest.raises(AttributeError, match="'keras_hrnet' has no attribute 'HRNetW31'"):
        keras_hrnet.HRNetW31  # noqa: B018 (asked for, as a user would)


def test_every_public_name_is_there_and_documented():
    for name in keras_hrnet.__all__:
        value = getattr(keras_hrnet, name)
        assert name == "__version__" or value.__doc__, f"{name} has no docstring"
