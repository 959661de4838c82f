import importlib
import sys

import pytest


@pytest.mark.once
def test_without_kerashub_the_error_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "keras_hub"]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("keras_hrnet.hub")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ImportError, match=r'Expected the package keras-hub.*pip install "keras-hrnet\[hub\]"'):
        importlib.import_module("keras_hrnet.hub")
