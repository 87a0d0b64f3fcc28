"""Kill, damage and starve the pipeline, and see whether a plain rerun ends as an unbroken run does.

python -m benchmarks.faults [--kills 200] [--files 0] [--disks 0] [--two 0] [--servers 0] [--seed 0] [--out reports]
                            [--work FOLDER] [--chain 1] [--paths 0] [--together 1] [--engine dvc|snakemake]
                            [--only TEXT] [--page]

All is done to a small study of real stages in a copy of this repository, never to yours. Each number says how many
faults of that kind there are to be in all: what OUT/faults.csv has already is not done again, so that a run goes on
where it was stopped. With --chain, a run is killed so often, each time it is begun again, before the rerun that counts.
With --together, up to so many files are damaged before one rerun; where that does not end well, each half of them is
done again, down to single ones, and so is a file that was perhaps mended only because another one was.
OUT/faults.md sums it up. One fault takes a quarter of a minute to some minutes.
"""

import argparse
import itertools
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faults import damage, kills, machine, record, server, together
from benchmarks.faults.checkout import ENGINES, Checkout, make
from benchmarks.faults.outcome import Row
from benchmarks.faults.together import groups

NOT_DONE = "not done"  # a fault that could not be made: it is tried again
FILES = ("file", "path")  # kinds of faults to files


def plan(kind: str, faults: list[str], places: list[str], engines: list[str], seed: int) -> Iterator[Row]:
    """Rows of faults without end: each place comes once before any comes twice, with another fault or engine each
    time."""
    drawn = random.Random(f"{seed} {kind}")
    pairs = {place: [(fault, engine) for fault in faults for engine in engines] for place in places}
    for each in pairs.values():
        drawn.shuffle(each)
    number, turn = 0, 0
    while True:
        for place in drawn.sample(places, len(places)):
            fault, engine = pairs[place][turn % len(pairs[place])]
            yield Row(number, kind, fault, engine, place)
            number += 1
        turn += 1


class Driver:
    """Unbroken checkouts of both engines, and faults done to copies of them."""

    def __init__(self, work: Path, out: Path, seed: int, chain: int):
        self.work, self.out, self.seed, self.chain = work, out, seed, chain
        self.lasts: dict[str, float] = {}
        self.whole: dict[str, Checkout] = {}
        self.wanted: dict[str, str] = {}

    def unbroken(self, engines: list[str]) -> None:
        """Run the study once with each engine, where that has not been done; both have to end the same."""
        origin = self.work / "origin"
        if not (origin / "clip/model.safetensors").exists():
            make(origin)
        for engine in engines:
            self.whole[engine] = checkout = Checkout(self.work / f"whole_{engine}", engine)
            known = self.work / f"{engine}.json"
            if not known.exists():
                checkout = Checkout(origin, engine).copy(checkout.folder)
                ended = checkout.run()
                if ended.status:
                    sys.exit(f"{checkout.folder}: an unbroken run failed:\n{ended.said[-3000:]}")
                known.write_text(json.dumps(checkout.hashes()))
            hashes = json.loads(known.read_text())
            if self.wanted and hashes != self.wanted:
                sys.exit(f"the engines end with other hashes: {set(hashes.items()) ^ set(self.wanted.items())}")
            self.wanted = hashes

    def drawn(self, row: Row) -> random.Random:
        """What is left to chance in a row."""
        return random.Random(f"{self.seed} {row.kind} {row.number}")

    def do_together(self, rows: list[Row]) -> None:
        """The faults of rows, to one copy; and of each half to another where that did not end well."""
        if len(rows) == 1:
            return self.do(rows[0])
        checkout = self.whole[rows[0].engine].copy(self.work / "copy")
        left = together.damage_together(rows, checkout, self.wanted, self.drawn)
        if left == rows:
            print(f"not known of which: {', '.join(f'{row.kind} {row.number}' for row in rows)}", flush=True)
            self.do_together(rows[: len(rows) // 2])
            self.do_together(rows[len(rows) // 2 :])
        else:
            for row in left:
                self.do(row)
        return None

    def do(self, row: Row) -> None:
        """The fault of a row, to a copy."""
        begun = time.monotonic()
        drawn = self.drawn(row)
        checkout = self.whole[row.engine].copy(self.work / "copy")
        checkout.jobs()
        if row.kind == "kill":
            row.kills = self.chain
            kills.kill(row, checkout, self.wanted, self.lasts, drawn)
        elif row.kind in FILES:
            damage.damage(row, checkout, self.wanted, drawn)
        elif row.kind == "disk":
            machine.full_disk(row, checkout, self.wanted, drawn)
        elif row.kind == "two":
            machine.two_at_once(row, checkout, self.wanted, drawn)
        else:
            server.serve(row, checkout, self.wanted, drawn)
        row.seconds = round(time.monotonic() - begun, 1)

    def plans(self, engines: list[str]) -> dict[str, Iterator[Row]]:
        jobs = [job.target for job in self.whole[engines[0]].jobs()]
        return {
            "kill": plan("kill", list(kills.KILLS), [*jobs, kills.ENGINE], engines, self.seed),
            "file": plan("file", list(damage.DAMAGES), list(damage.FILES), engines, self.seed),
            "path": plan("path", list(damage.PATHS), list(damage.FILES), engines, self.seed),
            "disk": plan("disk", [machine.FULL], jobs, engines, self.seed),
            "two": plan("two", list(machine.TWO), jobs, engines, self.seed),
            "server": plan("server", list(server.SERVERS), [server.TRAINING], engines, self.seed),
        }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--files", type=int, default=0)
    parser.add_argument("--paths", type=int, default=0)
    parser.add_argument("--disks", type=int, default=0)
    parser.add_argument("--two", type=int, default=0)
    parser.add_argument("--servers", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chain", type=int, default=1)
    parser.add_argument("--together", type=int, default=1)
    parser.add_argument("--engine", choices=list(ENGINES), action="append", help="by default both")
    parser.add_argument("--only", help="only faults whose row has this text")
    parser.add_argument("--out", type=Path, default=Path("reports"))
    parser.add_argument("--work", type=Path, help="kept, so that a later run need not begin with unbroken ones")
    parser.add_argument("--page", action="store_true", help="only write OUT/faults.md of the rows that are there")
    given = parser.parse_args(arguments)
    if given.page:
        return _page(given.out)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored, and by all children
    with tempfile.TemporaryDirectory() as temporary:
        driver = Driver((given.work or Path(temporary)).resolve(), given.out, given.seed, given.chain)
        driver.work.mkdir(parents=True, exist_ok=True)
        engines = given.engine or list(ENGINES)
        driver.unbroken(engines)
        wanted = {"kill": given.kills, "file": given.files, "disk": given.disks, "two": given.two}
        wanted |= {"server": given.servers, "path": given.paths}
        _all(driver, engines, wanted, given.only, given.together)


def _all(driver: Driver, engines: list[str], wanted: dict[str, int], only: str | None, most: int) -> None:
    done = [row for row in record.read(driver.out / "faults.csv") if row.ended != NOT_DONE]
    known = {(row.kind, row.number): row for row in done}
    for kind, rows in driver.plans(engines).items():
        count = sum(_counted(row) for row in known.values() if row.kind == kind)
        planned = itertools.islice(rows, 4 * wanted[kind] + 4)  # those that came too late are made up for
        left = [
            row
            for row in planned
            if (row.kind, row.number) not in known and (not only or only in f"{row.fault} {row.engine} {row.place}")
        ]
        while count < wanted[kind] and left:
            now, left = left[: wanted[kind] - count], left[wanted[kind] - count :]
            several = most if kind in FILES else 1
            for group in groups(now, driver.whole, driver.drawn, several) if several > 1 else ([row] for row in now):
                if count >= wanted[kind]:
                    break
                try:
                    driver.do_together(group)
                except Exception as error:  # hours of others would be lost; it is told, and does not count
                    for row in group:
                        row.ended, row.besides = NOT_DONE, f"{type(error).__name__}: {error}"
                count += sum(map(_counted, group))
                _keep(driver.out, group)


def _keep(out: Path, rows: list[Row]) -> None:
    for row in rows:
        record.add(out / "faults.csv", row)
        said = f"{row.kind} {row.number}: {row.fault}, {row.place}, {row.engine}, {row.moment}: {row.ended}"
        print(f"{said} [{row.seconds} s] {row.besides} {row.sentence}".rstrip(), flush=True)
    _page(out)


def _counted(row: Row) -> int:
    """How many faults it was."""
    return (row.kills or 1) if row.ended in record.ENDS else 0


def _page(out: Path) -> None:
    note = out / "faults_note.md"  # what whoever has made the table has to say of it
    said = note.read_text(encoding="utf-8") if note.exists() else ""
    page = record.page(record.read(out / "faults.csv"), record.command_line(), said)
    (out / "faults.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
