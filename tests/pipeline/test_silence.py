"""Partitions that give nothing although there is more: how long they are waited for."""

from __future__ import annotations

from pipeline.sources.silence import PATIENCE_SECONDS, Silence

LONG = PATIENCE_SECONDS + 1


def test_what_gives_nothing_for_long_is_given_up_until_it_gives_again() -> None:
    silence = Silence()
    silence.polled({0, 1}, {0}, 0)
    silence.polled({0, 1}, {0}, PATIENCE_SECONDS)
    assert silence.given_up == set()
    silence.polled({0, 1}, {0}, LONG)
    assert silence.given_up == {1}
    silence.polled({0, 1}, {1}, LONG)
    assert silence.given_up == set()
    silence.polled({0, 1}, {0}, 2 * LONG - 1)
    assert silence.given_up == set(), "its time begins anew"


def test_what_is_read_to_its_end_is_not_waited_for() -> None:
    silence = Silence()
    silence.polled({0}, set(), 0)
    silence.polled(set(), set(), LONG)
    silence.polled({0}, set(), LONG)
    assert silence.given_up == set()


def test_a_reader_that_rests_blames_nobody() -> None:
    silence = Silence()
    silence.polled({0}, set(), 0)
    silence.rested()
    silence.polled({0}, set(), LONG)
    assert silence.given_up == set()


def test_who_is_given_up_stays_so_while_the_reader_rests() -> None:
    silence = Silence()
    silence.polled({0}, set(), 0)
    silence.polled({0}, set(), LONG)
    silence.rested()
    silence.polled({0}, set(), LONG + 1)
    assert silence.given_up == {0}
