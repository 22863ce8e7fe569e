"""Jobs: CPU work beside the loop, told of and stoppable."""

import asyncio
import os
import threading
from collections.abc import Callable

import pytest

from core.jobs import Jobs


def add(a: int, b: int = 0) -> int:
    return a + b


def process_id() -> int:
    return os.getpid()


def fail() -> None:
    raise ValueError("wrong")


async def test_a_result_and_an_error_come_back() -> None:
    jobs = Jobs()
    assert await jobs.run(add, 1, b=2) == 3
    with pytest.raises(ValueError, match="wrong"):
        await jobs.run(fail)
    await jobs.close()


async def test_progress_arrives_on_the_loop_in_order() -> None:
    jobs, heard, here = Jobs(), [], threading.get_ident()

    def work(progress: Callable[[int], None]) -> str:
        for step in range(5):
            progress(step)
        return "done"

    assert await jobs.run(work, progress=lambda step: heard.append((step, threading.get_ident()))) == "done"
    await asyncio.sleep(0)
    assert heard == [(step, here) for step in range(5)]
    await jobs.close()


async def test_a_cancelled_job_stops_at_its_next_report() -> None:
    jobs, ended, begun = Jobs(), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(progress: Callable[[int], None]) -> None:
        try:
            loop.call_soon_threadsafe(begun.set)
            while True:
                progress(0)
        finally:
            ended.set()

    task = asyncio.create_task(jobs.run(work, progress=lambda _: None))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ended.wait, 5)
    await jobs.close()


async def test_closing_stops_what_runs() -> None:
    jobs, begun = Jobs(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(progress: Callable[[int], None]) -> None:
        loop.call_soon_threadsafe(begun.set)
        while True:
            progress(0)

    task = asyncio.create_task(jobs.run(work, progress=lambda _: None))
    await begun.wait()
    await jobs.close()
    assert jobs.running == 0
    with pytest.raises(Exception, match="cancelled"):
        await task
    with pytest.raises(RuntimeError, match="closed"):
        await jobs.run(add, 1)


async def test_the_loop_goes_on_while_a_job_works() -> None:
    jobs, release = Jobs(), threading.Event()
    task = asyncio.create_task(jobs.run(release.wait, 5))
    await asyncio.sleep(0)
    release.set()
    assert await task is True
    await jobs.close()


async def test_a_job_may_run_in_another_process() -> None:
    jobs = Jobs(workers=1)
    assert await jobs.run(process_id, processes=True) != os.getpid()
    await jobs.close()
