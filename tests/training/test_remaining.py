"""The data of a training from a step on is that of the whole training, without what came before."""

import keras
import numpy as np
import pytest
from PIL import Image

from keras_hrnet.data import folders
from keras_hrnet.training.remaining import remaining, repeat_epoch_ends

pytestmark = pytest.mark.once


@pytest.fixture
def photos(tmp_path):
    """Seven images whose pixels are their number, in batches of two: three steps an epoch."""
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    for i in range(7):
        Image.fromarray(np.full((12, 12, 3), 10 * i, "uint8")).save(tmp_path / "photos" / f"{i}.png")
        mask = np.random.default_rng(i).integers(0, 2, (12, 12), "uint8")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{i}.png")
    return folders(tmp_path / "photos", tmp_path / "masks", 2, batch_size=2, crop_size=(8, 8), seed=4)


def batches(dataset, count):
    return [tuple(map(np.asarray, batch)) for batch in dataset.take(count)]


def same(left, right):
    return len(left) == len(right) and all(
        np.array_equal(x, y) for pair in zip(left, right, strict=True) for x, y in zip(*pair, strict=True)
    )


@pytest.mark.slow
def test_photos_from_a_step_on_are_those_of_all_epochs(photos):
    epochs = [batches(photos, 3) for _ in range(3)]
    whole = [batch for epoch in epochs for batch in epoch]
    assert not same(epochs[0], epochs[1])
    for step in (2, 3):
        data, steps = remaining(photos, step // 3, step % 3)
        assert steps == 3 - step % 3
        assert same(batches(data, 9 - step), whole[step:])
        assert same(batches(data, 1), whole[step : step + 1])  # looking at the data changes nothing


def test_the_files_of_a_step_are_known(photos):
    for step, (images, _) in enumerate(batches(photos.from_step(0), 7)):
        # What is beyond the border of a small image is another color.
        numbers = [np.bincount(image.ravel() // 10)[:7].argmax() for image in images]
        files = [name.rpartition("/")[2] for name in photos.files_of_step(step)]
        assert files == [f"{number}.png" for number in numbers]


class Numbers(keras.utils.PyDataset):
    def __init__(self):
        super().__init__(workers=2)
        self.order, self.generator = list(range(4)), np.random.default_rng(0)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return self.order[index]

    def on_epoch_end(self):
        self.generator.shuffle(self.order)


@pytest.mark.parametrize(("epoch", "step"), [(0, 0), (0, 2), (2, 0), (2, 3)])
def test_a_shuffled_data_set_is_shuffled_as_often(epoch, step):
    whole = Numbers()
    for _ in range(epoch + 1):  # as `fit` calls it, once before the first epoch
        whole.on_epoch_end()
    dataset = Numbers()
    repeat_epoch_ends(dataset, epoch, step)
    data, steps = remaining(dataset, epoch, step)
    data.on_epoch_end()  # `fit` does, before the first epoch
    assert steps is None
    assert [data[i] for i in range(len(data))] == [whole[i] for i in range(step, 4)]
    assert data.workers == 2
    if step:
        data.on_epoch_end()
        dataset.on_epoch_end()  # the second `fit`
        whole.on_epoch_end()
        assert dataset.order == whole.order


def test_of_other_data_the_first_batches_are_left_out():
    pairs = [[0, 10], [1, 11], [2, 12]]
    data, steps = remaining(pairs, 5, 2)
    assert (list(data), steps) == ([(2, 12)], 1)
    assert remaining(pairs, 5, 0) == (pairs, None)
