"""An observed application: each command is a process, which appends its spans to a file.

python telemetry_shop.py RUNS SPANS start|answer RUN|send RUN|work|dies
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from functools import partial

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from longterm import Engine, deflow, step, suspend
from longterm.telemetry import Telemetry
from longterm.worker import Worker


@step
def charge(amount):
    if "dies" in sys.argv:
        os._exit(9)
    return amount


@deflow
def sell(amount):
    buyer = suspend("buyer")
    paid = charge(suspend("amount"))
    return buyer, paid, suspend("address")


def main(runs: str, spans: str, command: str, run_id: str = "") -> None:
    with open(spans, "a") as file:
        lines = partial(ConsoleSpanExporter, formatter=lambda span: span.to_json(None) + "\n")
        traces = TracerProvider()
        traces.add_span_processor(SimpleSpanProcessor(lines(out=file)))
        lease = timedelta(seconds=0.3)
        engine = Engine(
            f"sqlite:///{runs}", observer=Telemetry(tracer_provider=traces), lease=lease
        )
        match command:
            case "start":
                print(engine.start_flow(sell, 5).id)
            case "answer":
                run = engine.get_run(run_id)
                engine.process_event(run_id, run.waiting_for or "", 5)
            case "send":
                engine.send(run_id, "amount", 5)
            case "work" | "dies":
                print(Worker(engine).run_once())


if __name__ == "__main__":
    from telemetry_shop import main as imported  # flows are found by the name of their module

    imported(*sys.argv[1:])
