"""Kills: of the whole run, of its engine alone, or of the stage alone, at a random moment."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable

import psutil

from benchmarks.faults import outcome
from benchmarks.faults.checkout import Checkout, Job, end_session, process_of

FIRST_GUESS = 5.0  # seconds that a stage takes, before one was seen
ENGINE = "engine"  # in place of a stage: any moment of the run, most of it the engine's own
TOO_LATE = "too late"  # the run had ended
LATEST = 600  # seconds until a stage has to have begun

Kill = Callable[[subprocess.Popen, psutil.Process | None], None]


def whole_run(run: subprocess.Popen, stage: psutil.Process | None) -> None:
    """As a machine that goes down, or a scheduler at the end of its patience."""
    os.killpg(run.pid, signal.SIGKILL)


def engine_alone(run: subprocess.Popen, stage: psutil.Process | None) -> None:
    """The stage is left behind, and has to end by itself."""
    run.kill()


def stage_alone(run: subprocess.Popen, stage: psutil.Process | None) -> None:
    """As Linux does where memory is short."""
    (stage or run).kill()


def terminate(run: subprocess.Popen, stage: psutil.Process | None) -> None:
    """As a scheduler asks first."""
    os.killpg(run.pid, signal.SIGTERM)


def terminate_stage(run: subprocess.Popen, stage: psutil.Process | None) -> None:
    (stage or run).terminate()


def interrupt(run: subprocess.Popen, stage: psutil.Process | None) -> None:
    """Ctrl-C."""
    os.killpg(run.pid, signal.SIGINT)


KILLS: dict[str, Kill] = {
    "SIGKILL, the whole run": whole_run,
    "SIGKILL, the engine": engine_alone,
    "SIGKILL, the stage": stage_alone,
    "SIGTERM, the whole run": terminate,
    "SIGTERM, the stage": terminate_stage,
    "SIGINT, the whole run": interrupt,
}


def kill(
    row: outcome.Row, checkout: Checkout, wanted: dict[str, str], lasts: dict[str, float], drawn: random.Random
) -> None:
    """Kills of row.fault in the stage row.place, or in the engine, and a plain rerun.

    The first is in that stage; row.kills − 1 more follow at random moments of reruns, as long as these do not end
    before. lasts: the seconds that each stage took, as far as they were seen; they are kept up. Moments are drawn from
    them.
    """
    target = row.place if row.place != ENGINE else drawn.choice([job.target for job in checkout.jobs()])
    checkout.forget(target)
    job = checkout.job(target)
    row.moment = _kill(row, row.place != ENGINE, checkout, job, lasts, drawn)
    if row.moment == TOO_LATE:
        row.ended, row.kills = TOO_LATE, 0
        return
    times, row.kills = row.kills, 1
    half = set(outcome.halves(checkout, wanted))
    done = _finished(checkout, job)
    while row.kills < times and (moment := _kill(row, False, checkout, job, lasts, drawn)) != TOO_LATE:
        row.kills, row.moment = row.kills + 1, f"{row.moment}, {moment}"
        half |= set(outcome.halves(checkout, wanted))
    rerun = outcome.judge(row, checkout, wanted)
    again = [job.target] if done and job.target in outcome.ran(rerun.said, [job]) else []
    besides = [row.besides, f"half-written: {' '.join(sorted(half))}" if half else ""]
    besides += [f"was whole, and ran again: {' '.join(again)}" if again else ""]
    row.besides = "; ".join(filter(None, besides))


def _kill(
    row: outcome.Row, within: bool, checkout: Checkout, job: Job, lasts: dict[str, float], drawn: random.Random
) -> str:
    """Start the run and kill it, `within` the job or at any moment; returns the moment in words."""
    run = checkout.start()
    begun, share = time.monotonic(), drawn.random()
    if not within:
        wait = share * lasts.get(f"{checkout.engine} {ENGINE}", 4 * FIRST_GUESS)
        stage = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(wait)
    else:
        stage = _stage(run, job)
        at = time.monotonic()
        wait = share * lasts.get(job.target, FIRST_GUESS)
        with contextlib.suppress(psutil.Error, psutil.TimeoutExpired):
            if stage is not None and not isinstance(stage.wait(wait), psutil.Process):
                lasts[job.target] = time.monotonic() - at  # it was done before
    if run.poll() is not None:
        lasts[f"{checkout.engine} {ENGINE}"] = time.monotonic() - begun
        return TOO_LATE
    try:
        KILLS[row.fault](run, stage)
    except (psutil.NoSuchProcess, ProcessLookupError):  # it ended in between
        end_session(run.pid)
        return TOO_LATE
    try:
        run.wait(120)
    except subprocess.TimeoutExpired:
        end_session(run.pid)
        row.besides = "the engine did not end within two minutes"
    if run.returncode == 0:  # nothing was killed
        return TOO_LATE
    return f"after {wait:.1f} s"


def _stage(run: subprocess.Popen, job: Job) -> psutil.Process | None:
    """Its process, as soon as it is there; None where the run ends before."""
    engine, end = psutil.Process(run.pid), time.monotonic() + LATEST
    while run.poll() is None and time.monotonic() < end:
        if (found := process_of(engine, job)) is not None:
            return found
        time.sleep(0.1)
    return None


def _finished(checkout: Checkout, job: Job) -> bool:
    """Whether the engine had noted that the job, the first of all, is done: DVC does so before it begins another."""
    if checkout.engine == "snakemake":
        return "Finished jobid" in checkout.said()
    return len(outcome.ran(checkout.said(), checkout.jobs())) > 1
