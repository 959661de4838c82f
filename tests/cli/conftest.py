"""What the commands' tests share: running a command, and a small saved network of Cityscapes' classes."""

import pytest
import typer.testing

import keras_hrnet
from keras_hrnet import cli


@pytest.fixture
def invoke(monkeypatch):
    """Returns a function that runs the command with its arguments, and gives typer's result."""
    monkeypatch.setenv("COLUMNS", "160")

    def invoke(*arguments):
        return typer.testing.CliRunner().invoke(cli.app, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture(scope="session")
def saved_network(tmp_path_factory):
    """The path of a saved network that is called as a published one, and is much smaller."""
    tiny = keras_hrnet.Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
    path = tmp_path_factory.mktemp("saved network") / "w18_small.keras"
    keras_hrnet.HRNet(tiny, name="HRNetW18Small").save(path)
    return path


@pytest.fixture(scope="session")
def saved_small_network(small_network, tmp_path_factory):
    path = tmp_path_factory.mktemp("small network") / "w18_small.keras"
    small_network().save(path)
    return path
