"""A process that is forked at any moment of the thread that renews claims can free its engine."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from datetime import timedelta

import pytest

from longterm._turns.keeper import Keeper
from longterm.clock import SystemClock

SECONDS = 20


class Claim:
    run = turn = None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from Python 3.12 on
def test_a_forked_process_frees_the_keeper_of_its_parent():
    keeper = Keeper(None, SystemClock(), timedelta(hours=1))
    keeper.hold(Claim())
    *_, signal = keeper._thread._args
    # As if the thread were in the middle of its wait, with whatever that locks.
    with getattr(signal, "_cond", nullcontext()):
        child = os.fork()
        if child == 0:
            del keeper
            os._exit(0)
    assert ends(child)


def test_the_thread_ends_with_its_keeper():
    keeper = Keeper(None, SystemClock(), timedelta(hours=1))
    keeper.hold(Claim())
    thread = keeper._thread
    del keeper
    thread.join(SECONDS)
    assert not thread.is_alive()


def ends(child):
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return True
        time.sleep(0.001)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False
