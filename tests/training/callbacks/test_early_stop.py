"""A run ends when its validations no longer get better, and counts those before it was resumed."""

import types

import pytest

from keras_hrnet.training.callbacks import EarlyStop, Log

pytestmark = pytest.mark.once


def epochs_of(folder, scores, first=0, patience=2):
    """Returns how many epochs are trained."""
    log, stop = Log(folder / "log.csv"), EarlyStop(patience, folder / "log.csv")
    model = types.SimpleNamespace(stop_training=False)
    stop.set_model(model)
    for epoch, score in enumerate(scores, start=first):
        stop.on_epoch_begin(epoch)
        logs = {"loss": 1.0} if score is None else {"loss": 1.0, "val_mean_iou": score}
        log.on_epoch_end(epoch, logs)
        stop.on_epoch_end(epoch, logs)
        if model.stop_training:
            return epoch + 1 - first
    return len(scores)


@pytest.mark.parametrize(
    ("scores", "count"),
    [
        ([0.1, 0.3, 0.2, 0.3, 0.4], 4),
        ([0.1, None, 0.2, None, 0.1, None, 0.1, None], 7),
        ([0.1, float("nan"), 0.2, 0.1], 4),
        ([0.1, 0.2, 0.3, 0.4], 4),
    ],
    ids=str,
)
def test_two_validations_without_a_better_one_are_the_end(scores, count, tmp_path):
    assert epochs_of(tmp_path, scores) == count


def test_a_resumed_run_counts_the_validations_before(tmp_path):
    scores = [0.3, 0.2, 0.1, 0.1]
    assert epochs_of(tmp_path, scores) == 3
    # The epoch after the last save is trained again.
    assert epochs_of(tmp_path, scores[1:], first=1) == 2
    assert epochs_of(tmp_path, scores[2:], first=2) == 1
