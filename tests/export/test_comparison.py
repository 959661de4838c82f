"""What counts as the same answer."""

import dataclasses

import numpy as np
import pytest

from keras_hrnet.export.comparison import Reference, check, compare, relative_error
from keras_hrnet.export.conversion import TFLiteOptions
from keras_hrnet.export.images import Batch
from keras_hrnet.export.options import ExportOptions

# Two pixels of three classes. The tolerance is 0.005 of the largest logit: 0.05.
LOGITS = np.array([[[[10, 0, 0], [2.0, 2.06, 0]]]], dtype=np.float32)


def options(output="logits", precision="float32"):
    return TFLiteOptions(image_size=(1, 2), output=output, precision=precision)


def reference(labels=None):
    return Reference([Batch(np.zeros((1, 1, 2, 3), np.uint8), labels)], [LOGITS])


def compare_and_check(answers, options):
    comparison = compare(lambda images: answers, reference(), options)
    check(comparison, options)
    return comparison


def test_batches_of_any_sizes_are_compared_as_one():
    small, large = np.zeros((1, 1, 2, 3), np.uint8), np.zeros((1, 2, 3, 3), np.uint8)
    logits = {small.shape: LOGITS, large.shape: np.broadcast_to(np.float32([0, 4, 3]), (1, 2, 3, 3))}
    expected = Reference([Batch(small), Batch(large)], list(logits.values()))

    def moved(images, by):
        return logits[images.shape] + np.float32(by) * (images.shape == large.shape)

    comparison = compare(lambda images: moved(images, 0.04), expected, ExportOptions())
    check(comparison, ExportOptions())
    assert comparison.largest_difference == pytest.approx(0.04, rel=1e-5)
    assert comparison.mean_difference == pytest.approx(0.04 * 6 / 8, rel=1e-5)
    assert comparison.label_agreement == 1
    # The tolerance is a share of the largest logit of all.
    with pytest.raises(RuntimeError, match=r"differs by 0.06 in a logit, and 100.000 % .*Expected at most 0.05"):
        check(compare(lambda images: moved(images, 0.06), expected, ExportOptions()), ExportOptions())


def test_equal_logits_differ_by_nothing():
    comparison = compare_and_check(LOGITS, options())
    assert (comparison.largest_difference, comparison.mean_difference, comparison.label_agreement) == (0, 0, 1)


def test_differences_within_the_tolerance_are_told():
    moved = LOGITS.copy()
    moved[0, 0, 1] += [0.04, -0.04, 0]  # Now the second pixel is of class 0.
    comparison = compare_and_check(moved, options())
    assert comparison.largest_difference == pytest.approx(0.04, rel=1e-5)
    assert comparison.mean_difference == pytest.approx(0.08 / 6, rel=1e-5)
    assert comparison.label_agreement == 0.5


@pytest.mark.parametrize("wrong", [0.06, -0.06, np.nan, np.inf])
def test_one_logit_beyond_the_tolerance_fails(wrong):
    moved = LOGITS.copy()
    moved[0, 0, 0, 1] += np.float32(wrong)
    with pytest.raises(RuntimeError, match=r"in a logit, .* Expected at most 0.05 for precision='float32'"):
        compare_and_check(moved, options())


def test_a_label_may_differ_only_where_keras_hardly_prefers_its_own():
    hardly = np.array([[[0, 0]]], dtype=np.uint8)
    assert compare_and_check(hardly, options("labels")).label_agreement == 0.5
    with pytest.raises(RuntimeError, match=r"differs by 10 in a label's logit, and 50.000 % of its labels"):
        compare_and_check(np.array([[[1, 1]]], dtype=np.uint8), options("labels"))


def test_probabilities_may_differ_by_half_of_what_logits_may():
    odds = np.exp(LOGITS.astype(np.float64))
    expected = (odds / odds.sum(axis=-1, keepdims=True)).astype(np.float32)
    assert compare_and_check(expected, options("probabilities")).largest_difference < 1e-6
    with pytest.raises(RuntimeError, match=r"in a probability, .* Expected at most 0.025"):
        compare_and_check(expected + np.float32(0.03), options("probabilities"))


def test_an_answer_of_another_shape_or_dtype_fails():
    with pytest.raises(RuntimeError, match=r"returns float32 of shape \(1, 1, 1, 3\), and Keras float32"):
        compare_and_check(LOGITS[:, :, :1], options())
    with pytest.raises(RuntimeError, match=r"returns int32 .* and Keras uint8"):
        compare_and_check(np.zeros((1, 1, 2), np.int32), options("labels"))


@pytest.mark.parametrize("precision", ["dynamic", "int8", "mixed", "int16x8"])
@pytest.mark.parametrize("output", ["logits", "probabilities"])
def test_integers_may_be_off_by_a_share_of_the_deviation(precision, output):
    wanted = LOGITS if output == "logits" else np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)
    share = 0.05 if precision == "int16x8" else 0.1
    allowed = share * wanted.std()
    signs = np.array([1, -1, 1], np.float32)
    assert compare_and_check(wanted + 0.9 * allowed * signs, options(output, precision)).failed[1] == pytest.approx(
        0.9 * share, rel=1e-3
    )
    with pytest.raises(RuntimeError, match=rf"(?s)in the mean of its values, .*precision='{precision}'.*'mixed', then"):
        compare_and_check(wanted + 1.1 * allowed * signs, options(output, precision))


def test_labels_of_integers_may_be_wrong_where_little_is_lost():
    hardly = np.array([[[0, 0]]], dtype=np.uint8)
    assert compare_and_check(hardly, options("labels", "int8")).label_agreement == 0.5
    with pytest.raises(RuntimeError, match=r"the mean of its labels' logits"):
        compare_and_check(np.array([[[1, 1]]], dtype=np.uint8), options("labels", "int8"))


def test_the_layer_that_departs_is_asked_for_on_failure_only_and_named():
    def never():
        raise AssertionError("asked")

    check(compare(lambda images: LOGITS, reference(), options()), options(), never)
    with pytest.raises(RuntimeError, match=r"The first layer that differs is 'stem'. Expected"):
        check(compare(lambda images: LOGITS + 1, reference(), options()), options(), lambda: "stem")


def test_the_mean_iou_of_both_is_told_where_the_truth_is_known():
    moved = LOGITS.copy()
    moved[0, 0, 1] += [0.04, -0.04, 0]  # Now the second pixel is of class 0, which is wrong.
    truth = np.array([[[0, 1]]], dtype=np.uint8)
    comparison = compare(lambda images: moved, reference(truth), options())
    assert (comparison.keras_miou, comparison.miou) == (1, 0.25)
    for unknown in (None, np.full((1, 1, 2), 255, np.uint8), np.zeros((1, 4, 8), np.uint8)):
        assert compare(lambda images: moved, reference(unknown), options()).miou is None


def test_the_mean_iou_leaves_out_what_the_network_ignores():
    truth = np.array([[[0, 1]]], dtype=np.uint8)
    expected = dataclasses.replace(reference(truth), ignore_label=0)
    comparison = compare(lambda images: LOGITS, expected, options())
    assert comparison.miou == 1
    wrong = LOGITS[..., ::-1].copy()  # The first pixel is of class 2, the second of class 1.
    assert compare(lambda images: wrong, expected, options()).miou == 1
    assert compare(lambda images: wrong, reference(truth), options()).miou == pytest.approx(1 / 3)


def test_the_relative_error_is_a_share_of_the_deviation():
    assert relative_error(np.array([1.0, 3.0]), np.array([0.0, 2.0])) == 1
    assert relative_error(np.array([3.0, 3.0]), np.array([2.0, 2.0])) == 1
