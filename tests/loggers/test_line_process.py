"""A process that is slow, stuck or gone is not waited for but at the end, and then for a bounded time."""

from __future__ import annotations

import sys
import time

import pytest

from resnet_zoo.loggers import line_process
from resnet_zoo.loggers.line_process import LineProcess

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
SLEEP = "import time, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('[]', flush=True)\ntime.sleep(600)"


def process(program: str) -> LineProcess:
    return LineProcess([sys.executable, "-S", "-c", program])


def test_messages_arrive_in_order_and_come_back() -> None:
    echo = process(ECHO)
    sent = [{"number": number, "text": "x" * 1000} for number in range(500)]  # more than a pipe holds
    for message in sent:
        echo.send(message)
    ending, received = echo.close(60)
    assert ending == "finished"
    assert received == sent


def test_a_stuck_process_takes_memory_up_to_a_limit_and_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_process, "LARGEST_BACKLOG", 200_000)
    monkeypatch.setattr(line_process, "TERMINATION", 0.2)
    stuck = process(SLEEP)
    while not stuck.receive():
        time.sleep(0.01)
    for _ in range(3000):  # three megabytes, more than any system's pipe holds besides
        stuck.send({"text": "x" * 1000})
    assert 0 < len(stuck._backlog) <= 200_000
    assert stuck.dropped > 500
    # Whoever had waited for it would have waited for its end, and seen one by itself.
    assert stuck._process.poll() is None
    ending, _ = stuck.close(0.3)
    assert ending == "ended"


def test_a_process_that_is_gone_is_noticed_at_the_end() -> None:
    gone = process("raise SystemExit(3)")
    for number in range(400):
        gone.send({"text": "x" * 1000})
        if number == 200:  # from now on nobody is there to take it
            gone._process.wait()
    assert gone.close(60)[0] == "failed"
