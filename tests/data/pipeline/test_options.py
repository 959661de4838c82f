import pytest

from keras_hrnet.data.pipeline.options import Options
from keras_hrnet.data.transforms.augmentation import Augmentation

pytestmark = pytest.mark.once


def options(**changed):
    fields = {
        "augment": True,
        "augmentation": {},
        "batch_size": 4,
        "crop_size": (16, 32),
        "class_uniform": 0.0,
        "cache": None,
        "seed": 0,
        "shard": (0, 1),
        "deterministic": True,
        "num_parallel_calls": None,
    }
    return Options(**{**fields, **changed})


def test_augmentation_is_the_published_recipe_unless_changed():
    assert options().augmentation == Augmentation()
    assert options(augmentation={"rotation": 10.0}).augmentation == Augmentation(rotation=10.0)
    assert options(augment=False, crop_size=None).augmentation is None


def test_a_batch_is_shared_among_the_processes():
    assert options(shard=(1, 2)).local_batch_size == 2


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size with 0. Expected a positive integer"),
        ({"batch_size": 2.0}, TypeError, "batch_size with 2.0. Expected an integer"),
        ({"batch_size": 5, "shard": (0, 2)}, ValueError, "batch_size=5 for 2 processes.*Pass 4"),
        ({"batch_size": 1, "shard": (0, 2)}, ValueError, "Pass 2"),
        ({"crop_size": 512}, TypeError, r"crop_size=512. Expected \(height, width\)"),
        ({"crop_size": (512, 0)}, ValueError, "crop_size with 0. Expected a positive integer"),
        ({"class_uniform": 1.5}, ValueError, "class_uniform=1.5. Expected a share of an epoch, from 0 to 1"),
        ({"coarse": "0.5"}, TypeError, "coarse='0.5'. Expected a number from 0 to 1"),
        ({"class_uniform": 0.6, "coarse": 0.5}, ValueError, "a sum of at most 1"),
        ({"seed": 0.5}, TypeError, "seed=0.5. Expected an integer"),
        ({"cache": 3}, TypeError, "cache=3. Expected 'memory', a folder, or None"),
        ({"num_parallel_calls": 0}, ValueError, "num_parallel_calls with 0"),
        ({"shard": (2, 2)}, ValueError, "Expected an index from 0 to count"),
        (
            {"augmentation": {"rotate": 3}},
            TypeError,
            "an argument rotate. Expected one of scales.*Did you mean rotation",
        ),
        ({"augmentation": {"crop_sise": 3}}, TypeError, "an argument crop_sise.*Did you mean crop_size"),
        ({"augmentation": {"zzz": 3}}, TypeError, "an argument zzz.*Leave it out"),
        ({"augmentation": {"scales": (2.0, 1.0)}}, ValueError, "scales"),
    ],
)
def test_what_cannot_be_meant_is_refused(changed, error, message):
    with pytest.raises(error, match=message):
        options(**changed)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"crop_size": (16, 32)}, "crop_size"),
        ({"class_uniform": 0.5}, "class_uniform"),
        ({"coarse": 0.5}, "coarse"),
        ({"augmentation": {"rotation": 10.0}}, "rotation"),
    ],
)
def test_evaluation_data_takes_no_training_arguments(changed, name):
    with pytest.raises(ValueError, match=f"{name}=.* for evaluation data.*Leave {name} out, or pass augment=True"):
        options(**{"augment": False, "crop_size": None, **changed})
