"""The learning rate over the steps."""

import keras
import pytest

from keras_hrnet.training import Poly


def rate(schedule, step):
    return float(keras.ops.convert_to_numpy(schedule(step)))


def test_the_rate_falls_by_a_power_of_what_is_left():
    schedule = Poly(0.01, 100, power=0.9)
    assert rate(schedule, 0) == pytest.approx(0.01)
    assert rate(schedule, 50) == pytest.approx(0.01 * 0.5**0.9)
    assert rate(schedule, 99) == pytest.approx(0.01 * 0.01**0.9, rel=1e-4)
    assert rate(schedule, 100) == rate(schedule, 101) == 0


def test_the_warm_up_rises_in_a_line():
    schedule = Poly(1.0, 100, power=1, warmup_steps=3)
    assert [rate(schedule, step) for step in range(5)] == pytest.approx([0.25, 0.495, 0.735, 0.97, 0.96])


def test_the_rate_falls_only_after_a_warm_up_with_a_start():
    schedule = Poly(1.0, 10, power=0.5, warmup_steps=4, warmup_start=0.2)
    falling = [(1 - i / 6) ** 0.5 for i in range(7)]
    assert [rate(schedule, step) for step in range(11)] == pytest.approx([0.2, 0.4, 0.6, 0.8, *falling], abs=1e-6)
    assert rate(schedule, 12) == 0
    assert rate(Poly(1.0, 10, warmup_start=0.2), 0) == 1


def test_it_is_rebuilt_from_its_configuration():
    schedule = Poly(0.1, 9, 2.0, 3, warmup_start=0.5)
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert again.get_config() == schedule.get_config()


def test_a_warm_up_that_starts_above_the_rate_is_refused():
    with pytest.raises(ValueError, match="warmup_start=2"):
        Poly(0.1, 10, warmup_steps=2, warmup_start=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 10), "learning_rate=0.0"),
        ((0.1, 0), "num_steps=0"),
        ((0.1, 10, -1), "power=-1"),
        ((0.1, 10, 0.9, 10), "warmup_steps=10 with num_steps=10"),
    ],
)
def test_a_number_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Poly(*arguments)
