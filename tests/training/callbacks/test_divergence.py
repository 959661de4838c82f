"""A loss that is no number ends `fit` with an error that says where, and where to go back to."""

import pytest

from keras_hrnet.training.callbacks import StopAtNaN

pytestmark = pytest.mark.once


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_of_validation_that_is_no_number_counts_too(value):
    stop = StopAtNaN()
    stop.on_epoch_begin(4)
    stop.on_train_batch_end(0, {"loss": 1.0})
    stop.on_epoch_end(4, {"loss": 1.0, "val_loss": 2.0, "val_mean_iou": 0.0})
    with pytest.raises(RuntimeError, match=r"val_loss=.* in the validation of epoch 5\..* No checkpoint was written"):
        stop.on_epoch_end(4, {"loss": 1.0, "val_loss": value})


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_the_message_names_the_step_and_the_last_checkpoint(value, tmp_path):
    (tmp_path / "last.keras").touch()
    stop = StopAtNaN(tmp_path / "last.keras")
    stop.on_epoch_begin(1)
    with pytest.raises(
        RuntimeError, match=r"loss=.* in step 3 of epoch 2\. Expected .* good checkpoint is '.*last.keras'"
    ):
        stop.on_train_batch_end(2, {"loss": value})


def test_the_message_says_of_the_step_what_the_caller_knows():
    stop = StopAtNaN(describe=lambda epoch, batch: f"batch {batch} of {epoch}, with a.png")
    stop.on_epoch_begin(1)
    with pytest.raises(RuntimeError, match=r"loss=nan in batch 2 of 1, with a\.png\. Expected"):
        stop.on_train_batch_end(2, {"loss": float("nan")})


def test_data_that_makes_the_loss_nan_is_blamed_and_not_the_learning_rate():
    stop = StopAtNaN(fault=lambda epoch, batch: f"image {batch} of {epoch} has NaN pixels")
    stop.on_epoch_begin(1)
    with pytest.raises(RuntimeError, match=r"In the data, image 2 of 1 has NaN pixels\. Correct the data\.$"):
        stop.on_train_batch_end(2, {"loss": float("nan")})


@pytest.mark.parametrize(("name", "data"), [("mean_iou", "training"), ("val_mean_iou", "validation")])
def test_data_of_ignored_pixels_alone_is_refused(name, data):
    stop = StopAtNaN()
    stop.on_epoch_begin(0)
    with pytest.raises(ValueError, match=rf"{name}=nan in epoch 1: all pixels of the {data} data are ignored"):
        stop.on_epoch_end(0, {"loss": 0.0, name: float("nan")})
