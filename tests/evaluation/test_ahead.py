"""Work that runs ahead on threads."""

import threading
import time

import pytest

from keras_hrnet.evaluation.ahead import draw_ahead, map_ahead

pytestmark = pytest.mark.once


def wait_and_square(i):
    time.sleep(0.02 if i == 0 else 0)
    return i * i


def test_results_keep_the_order_of_the_items_whichever_is_ready_first():
    assert list(map_ahead(wait_and_square, range(20))) == [i * i for i in range(20)]


def test_items_are_drawn_by_the_caller_and_computed_elsewhere():
    def items():
        for _ in range(3):
            yield threading.get_ident()

    threads = list(map_ahead(lambda drawn: (drawn, threading.get_ident()), items()))
    assert {drawn for drawn, _ in threads} == {threading.get_ident()}
    assert threading.get_ident() not in {computed for _, computed in threads}


def test_no_more_items_are_drawn_than_may_wait():
    drawn = []
    results = map_ahead(wait_and_square, (drawn.append(i) or i for i in range(20)), num_ahead=3)
    next(results)
    assert len(drawn) == 4
    results.close()
    assert len(drawn) == 4


def test_an_exception_is_raised_in_its_place_and_ends_the_threads():
    before = set(threading.enumerate())
    results = map_ahead(lambda i: 1 // i, [1, 0, 1])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert set(threading.enumerate()) <= before


def test_one_thread_takes_the_items_one_after_the_other():
    running, most = [], []

    def run(i):
        running.append(i)
        most.append(len(running))
        time.sleep(0.001)
        running.remove(i)
        return i

    assert list(map_ahead(run, range(20), threads=1)) == list(range(20))
    assert set(most) == {1}


def test_an_iterator_is_drawn_on_another_thread_only_as_far_as_may_wait():
    drawn = []

    def items():
        for i in range(20):
            drawn.append(threading.get_ident())
            yield i

    ahead = draw_ahead(items(), num_ahead=3)
    assert next(ahead) == 0
    assert len(drawn) <= 5
    assert list(ahead) == list(range(1, 20))
    assert threading.get_ident() not in drawn
    assert len(set(drawn)) == 1


def test_what_an_iterator_raises_is_raised_in_its_place():
    ahead = draw_ahead((1 // i for i in (1, 0, 1)), num_ahead=3)
    assert next(ahead) == 1
    with pytest.raises(ZeroDivisionError):
        next(ahead)
