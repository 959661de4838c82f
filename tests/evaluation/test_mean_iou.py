"""The metric against counts by hand and against `confusion_matrix`, inside `fit` and far beyond 32 bits."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hrnet.evaluation import EvaluationReport, confusion_matrix
from keras_hrnet.evaluation.mean_iou import MOST_PIXELS_OF_AN_IMAGE, MeanIoU

TRUTH = np.array([[[0, 0, 1], [2, 255, 1]]], dtype=np.uint8)
PREDICTION = np.array([[[0, 1, 1], [0, 1, 1]]], dtype=np.uint8)
# Class 0: one pixel of both, one only true, one only predicted. Class 1: two of both, one only predicted. Class 2 is
# never predicted. Class 3 is nowhere, and does not count.
SCORE = (1 / 3 + 2 / 3 + 0) / 3


def logits(prediction, num_classes=4):
    return np.eye(num_classes, dtype="float32")[prediction]


def counted(*batches, **options):
    metric = MeanIoU(4, **options)
    for truth, prediction in batches:
        metric.update_state(truth, logits(prediction))
    return metric


def set_counts(metric, confusion, num_strange=0):
    cells = np.append(np.asarray(confusion, np.int64), num_strange)
    for word, values in ((metric.low, cells % 2**30), (metric.high, cells // 2**30)):
        word.assign(values.astype(keras.utils.standardize_dtype(word.dtype)))


def test_the_score_is_the_mean_over_the_classes_that_occur():
    assert float(counted((TRUTH, PREDICTION)).result()) == pytest.approx(SCORE)


def test_the_counts_are_those_worked_by_hand():
    metric = counted((TRUTH, PREDICTION), (TRUTH, PREDICTION))
    assert metric.confusion().tolist() == [[2, 2, 0, 0], [0, 4, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0]]
    assert metric.confusion().dtype == np.int64
    np.testing.assert_array_equal(metric.iou(), [1 / 3, 2 / 3, 0, np.nan])


def test_a_reset_forgets_everything():
    metric = counted((TRUTH, PREDICTION))
    set_counts(metric, np.full((4, 4), 2**40), num_strange=1)
    metric.reset_state()
    assert metric.confusion().sum() == 0


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.sampled_from([0, 1, 2, 3, 255]), st.integers(0, 3)), min_size=6, max_size=6))
def test_it_gives_what_the_evaluation_gives(pixels):
    truth, prediction = np.array(pixels, dtype=np.uint8).T.reshape(2, 1, 2, 3)
    metric = counted((truth, prediction))
    expected = confusion_matrix(truth, prediction, 4)
    np.testing.assert_array_equal(metric.confusion(), expected)
    if expected.sum():
        report = EvaluationReport(expected, tuple("abcd"), 1, 0.0)
        assert float(metric.result()) == pytest.approx(report.mean_iou, abs=1e-6)


@pytest.mark.parametrize("start", [2**24, 2**30 - 1, 2**31 - 1, 2**32, 2**53, 2**59])
def test_no_pixel_is_lost_beyond_any_number_of_bits(start):
    metric = MeanIoU(4)
    set_counts(metric, np.full((4, 4), start))
    metric.update_state(TRUTH, logits(PREDICTION))
    metric.update_state(TRUTH, logits(PREDICTION))
    np.testing.assert_array_equal(metric.confusion() - start, 2 * confusion_matrix(TRUTH, PREDICTION, 4))


def test_the_score_of_more_pixels_than_32_bits_hold_is_exact():
    confusion = np.array([[3 * 2**40, 2**40, 0, 0], [0, 2**35, 0, 0], [0, 0, 7, 0], [0, 0, 0, 0]], dtype=np.int64)
    metric = MeanIoU(4)
    set_counts(metric, confusion)
    expected = EvaluationReport(confusion, tuple("abcd"), 1, 0.0).mean_iou
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_it_is_nan_where_every_pixel_is_ignored():
    assert np.isnan(float(counted((np.full_like(TRUTH, 255), PREDICTION)).result()))
    assert np.isnan(float(MeanIoU(4).result()))


@pytest.mark.parametrize(("label", "dtype"), [(4, "uint8"), (254, "uint8"), (-1, "int32"), (1000, "int32")])
def test_a_label_beyond_the_classes_leaves_no_score_and_says_so(label, dtype):
    truth = TRUTH.astype(dtype)
    truth[0, 0, 0] = label
    metric = counted((TRUTH, PREDICTION), (truth, PREDICTION))
    assert np.isnan(float(metric.result()))
    with pytest.raises(
        ValueError, match=r"1 pixels whose labels are not among its 4 classes\. Expected 0 to 3, or 255"
    ):
        metric.confusion()


def test_another_label_may_be_ignored():
    metric = counted((np.where(TRUTH == 255, 9, TRUTH), PREDICTION), ignore_label=9)
    np.testing.assert_array_equal(metric.confusion(), confusion_matrix(TRUTH, PREDICTION, 4))


def test_the_first_of_equal_logits_is_the_prediction():
    metric = MeanIoU(4)
    metric.update_state(TRUTH, np.zeros((1, 2, 3, 4), "float32"))
    assert metric.confusion()[:, 0].tolist() == [2, 2, 1, 0]


class Scale(keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(name="factor", initializer="ones")

    def call(self, x):
        return x * self.factor


def test_fit_and_evaluate_give_the_score_of_all_batches():
    # The other layout and precision are those of the training callbacks' tests.
    image = keras.Input((4, 2, 3))
    model = keras.Model(image, Scale(dtype=keras.DTypePolicy("mixed_float16"))(image))
    metric = MeanIoU(4, data_format="channels_first")
    model.compile(keras.optimizers.SGD(0.0), lambda y, z: keras.ops.mean(z, axis=(1, 2, 3)), metrics=[metric])
    generator = np.random.default_rng(0)
    truth = generator.choice(np.array([0, 1, 3, 255], dtype=np.uint8), (4, 2, 3))
    prediction = generator.integers(0, 4, (4, 2, 3))
    images = np.moveaxis(logits(prediction), -1, 1)
    expected = confusion_matrix(truth, prediction, 4)
    logs = model.fit(images, truth, batch_size=2, epochs=1, validation_data=(images[:2], truth[:2]), verbose=0).history
    score = EvaluationReport(expected, tuple("abcd"), 4, 0.0).mean_iou
    assert logs["mean_iou"] == [pytest.approx(score, abs=1e-6)]
    np.testing.assert_array_equal(metric.confusion(), confusion_matrix(truth[:2], prediction[:2], 4))
    assert model.evaluate(images, truth, batch_size=2, verbose=0)[1] == pytest.approx(score, abs=1e-6)
    np.testing.assert_array_equal(metric.confusion(), expected)


def test_it_is_rebuilt_from_its_settings():
    metric = MeanIoU(3, ignore_label=200, data_format="channels_first", name="miou")
    copy = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert type(copy) is MeanIoU
    assert copy.get_config() == metric.get_config()


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match=r"num_classes=256\. Expected 1 to 255"):
        MeanIoU(256)
    with pytest.raises(ValueError, match=r"ignore_label=3 for 4 classes. Expected a number that is not a class"):
        MeanIoU(4, ignore_label=3)
    with pytest.raises(ValueError, match="data_format='NHWC'"):
        MeanIoU(4, data_format="NHWC")


def test_logits_of_other_classes_are_refused():
    with pytest.raises(ValueError, match=r"shape \(1, 2, 3, 5\)\. Expected four axes, and 4 classes on axis 3"):
        MeanIoU(4).update_state(TRUTH, logits(PREDICTION, 5))


def test_labels_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"labels of shape \(1, 2, 2\) for logits .* Expected labels \(1, 2, 3\)"):
        MeanIoU(4).update_state(TRUTH[..., :2], logits(PREDICTION))
    with pytest.raises(ValueError, match=r"labels of shape \(1, 2, 3, 1\).*axes of length one"):
        MeanIoU(4).update_state(TRUTH[..., None], logits(PREDICTION))


def test_labels_that_are_not_integers_are_refused():
    with pytest.raises(TypeError, match=r"labels of dtype float32\. Expected integers"):
        MeanIoU(4).update_state(TRUTH.astype("float32"), logits(PREDICTION))


def test_weights_are_refused():
    with pytest.raises(ValueError, match=r"received sample weights.*`metrics` and not in `weighted_metrics`"):
        MeanIoU(4).update_state(TRUTH, logits(PREDICTION), np.ones((1, 2, 3)))


def test_an_image_too_large_to_count_exactly_is_refused():
    truth = np.broadcast_to(np.uint8(0), (1, 1, MOST_PIXELS_OF_AN_IMAGE + 1))
    with pytest.raises(ValueError, match=r"an image of 1 x 16777217 pixels. Expected at most 16777216"):
        MeanIoU(1).update_state(truth, np.broadcast_to(np.float32(0), (*truth.shape, 1)))
