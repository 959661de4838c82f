import doctest
import importlib
import pkgutil

import pytest

import keras_hrnet

MODULES = [module.name for module in pkgutil.walk_packages(keras_hrnet.__path__, "keras_hrnet.")]


@pytest.mark.once
@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("worker")])
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
