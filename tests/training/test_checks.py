"""What would spoil a training is said before its first step."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_hrnet
from keras_hrnet import Variant
from keras_hrnet.data import folders
from keras_hrnet.data_sets import Classes
from keras_hrnet.models.network import Network, labels_model
from keras_hrnet.training.checks import batch_shape_of, check_loss, check_training, fault_of

pytestmark = pytest.mark.once

TINY = Variant("Tiny", width=4, stage1_blocks=1, stage1_filters=8, modules=(1, 1, 1), blocks=1)
IMAGES = np.full((2, 32, 48, 3), 100, "uint8")
LABELS = np.tile(np.array([0, 1, 2, 255], "uint8"), (2, 32, 12))


@pytest.fixture(scope="module")
def model():
    return keras_hrnet.HRNet(TINY, 3, data_format="channels_last")


GOOD = [(IMAGES, LABELS)]


def test_good_data_pass(model):
    check_training(model, GOOD, GOOD)
    check_training(model, [(IMAGES.astype("float32"), LABELS[..., None].astype("int32"))], GOOD)


def test_what_the_training_data_warn_of_is_said_before_training(model):
    class Batches(list):
        warning = "The label images have no pixel of 1 of 3 classes."

    with pytest.warns(UserWarning, match="no pixel of 1 of 3 classes"):
        check_training(model, Batches(GOOD), GOOD)
    check_training(model, GOOD, Batches(GOOD))


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        ((IMAGES, LABELS + (LABELS == 2)), ValueError, "label 3 in `train`.*0 to 2.*num_classes=4"),
        (
            (IMAGES, LABELS.astype("int32") - 1),
            ValueError,
            r"label -1, 254 in `train`.*np\.where\(label < 0, 255",
        ),
        (
            (IMAGES, np.where(LABELS == 2, np.uint8(99), LABELS)),
            ValueError,
            "label 99.*ignore_label=99",
        ),
        ((np.where(IMAGES > 0, np.nan, 0), LABELS), ValueError, "images with NaN or infinite pixels in `train`"),
        ((IMAGES, LABELS.astype("float32")), TypeError, "labels of dtype float32.*nearest neighbor"),
        ((IMAGES / 255.0, LABELS), ValueError, r"images in `train` with float64 values in \[0.392, 0.392\].*by 255"),
        ((IMAGES / 50.0 - 3, LABELS), ValueError, r"images in `train` with values in \[-1, -1\].*before any norm"),
        ((IMAGES * 3.0, LABELS), ValueError, r"images in `train` with values in \[300, 300\]"),
        ((IMAGES, LABELS[:, :16]), ValueError, "for images of 32x48.*Give each pixel"),
        ((IMAGES[..., :1], LABELS), ValueError, r"images of shape \(2, 32, 48, 1\)"),
        ((IMAGES, LABELS, LABELS), ValueError, "is not a pair"),
    ],
    ids=range(11),
)
def test_a_batch_that_does_not_fit_is_refused(batch, error, message, model):
    with pytest.raises(error, match=message):
        check_training(model, [batch], GOOD)
    with pytest.raises(error, match=message.replace("train", "val")):
        check_training(model, GOOD, [batch])


def test_the_label_of_ignored_pixels_is_the_networks():
    image = keras.Input((None, None, 3))
    model = Network(image, keras.layers.Conv2D(3, 1, data_format="channels_last")(image))
    model.classes = Classes(("a", "b", "c"), ignore_label=254)
    labels = np.where(LABELS == 255, np.uint8(254), LABELS)
    assert check_training(model, [(IMAGES, labels)], [(IMAGES, labels)]) == model.classes
    with pytest.raises(ValueError, match=r"label 255 in `val`.*0 to 2, or 254 where"):
        check_training(model, [(IMAGES, labels)], GOOD)


def test_data_of_unknown_or_no_length_are_refused(model):
    with pytest.raises(TypeError, match=r"type generator whose length is not known"):
        check_training(model, (batch for batch in GOOD), GOOD)
    with pytest.raises(ValueError, match=r"training data without a batch"):
        check_training(model, [], GOOD)
    with pytest.raises(ValueError, match=r"`val` without a batch"):
        check_training(model, GOOD, [])


def test_data_without_validation_is_refused(model):
    with pytest.raises(ValueError, match=r"val=None. Expected validation data.*val_share=0\.2"):
        check_training(model, GOOD, None)


class Indexed(keras.utils.PyDataset):
    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return self.batch if index == 1 else GOOD[0]


@pytest.mark.parametrize(
    ("batch", "fault"),
    [
        ((np.where(IMAGES > 0, np.nan, 0), LABELS), "its images have NaN or infinite pixels"),
        ((IMAGES, LABELS + (LABELS == 2)), "its labels have 3, which is not one of 3 classes"),
        (GOOD[0], None),
    ],
    ids=range(3),
)
def test_the_fault_of_a_batch_is_found(batch, fault, model):
    for data in (Indexed(batch), [GOOD[0], batch, GOOD[0]]):
        assert fault_of(data, 0, 1, model) == fault
        assert fault_of(data, 0, 2, model) is None


def test_the_shape_of_the_batches_is_that_of_the_data(model):
    assert batch_shape_of(model, Indexed(GOOD[0])) == (2, 32, 48)


def test_images_that_are_too_small_for_the_smallest_scale_are_refused(tmp_path):
    model = keras_hrnet.HRNet(TINY, 3, head="hierarchical", ocr_channels=(4, 4), data_format="channels_last")
    message = "images of 32x48 .height x width. in `{}` for the network .* Expected a height and width of at least 34"
    enough = np.pad(IMAGES, ((0, 0), (0, 2), (0, 0), (0, 0)), "edge"), np.pad(LABELS, ((0, 0), (0, 2), (0, 0)))
    check_training(model, [enough], [enough])
    with pytest.raises(ValueError, match=message.format("train")):
        check_training(model, GOOD, [enough])
    for folder, arrays in (("photos", IMAGES), ("masks", LABELS)):
        (tmp_path / folder).mkdir()
        for i, array in enumerate(arrays):
            Image.fromarray(array).save(tmp_path / folder / f"{i}.png")
    own = tmp_path / "photos", tmp_path / "masks", 3
    # Crops are padded, whole images are not.
    train = folders(*own, batch_size=1, crop_size=(34, 48))
    with pytest.raises(ValueError, match=message.format("val")):
        check_training(model, train, folders(*own, augment=False))


def test_what_is_no_network_of_logits_is_refused(model):
    with pytest.raises(TypeError, match=r"Expected a keras\.Model"):
        check_training(None, GOOD, GOOD)
    with pytest.raises(ValueError, match=r"returns labels. Expected logits"):
        check_training(labels_model(model), GOOD, GOOD)


def test_a_loss_of_probabilities_is_refused():
    with pytest.raises(ValueError, match=r"from_logits=False. Expected from_logits=True"):
        check_loss(keras.losses.SparseCategoricalCrossentropy(ignore_class=255))
    with pytest.raises(TypeError, match=r"a loss of type function"):
        check_loss(lambda truth, logits: 0)
    check_loss(keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255))
    check_loss(keras_hrnet.training.CrossEntropy())


def test_images_of_other_channels_than_the_networks_are_refused():
    import tensorflow as tf

    data = tf.data.Dataset.from_tensors((np.zeros((1, 32, 32, 4), "uint8"), np.zeros((1, 32, 32), "uint8")))
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Conv2D(2, 1, data_format="channels_last")(image), name="rgb")
    with pytest.raises(
        ValueError, match=r"4 channels in `train` for the network 'rgb'. Expected 3. Make the data with"
    ):
        check_training(model, data, data)
