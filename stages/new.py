"""From a table or pictures to a good search page: one command.

It looks at the data, writes a study, chooses among methods by the validation split in the time that there is, and runs
the study.
"""

import re
import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from kith.data import advice
from kith.errors import KithError
from kith.halving import Race
from stages import cli, search, study
from stages.creating import budget, ending, engines, writing
from stages.creating.look import Wanted, look
from stages.creating.proposal import SCORES, Candidate, Proposal, renamed, told
from stages.creating.state import State
from stages.creating.tables import Tables, making
from stages.creating.trials import Search
from stages.params.base import NAME
from stages.params.presets import presets
from stages.params.validation import suggest
from workflow.engine import check_idle

MINUTES = 10.0
NO_TERMINAL = "there is no terminal to ask: give --yes to take this as it is, or --dry-run to see the study alone"


def main(
    *,
    path: Annotated[Path, typer.Argument(metavar="TABLE", help="A table, a folder of pictures, captions, an archive.")],
    name: Annotated[str | None, typer.Option(help="Of the study, by default the table's.")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="The time that it may take, roughly.")] = MINUTES,
    methods: Annotated[list[str] | None, typer.Option(help="Presets to try in place of those that fit.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=NAME", help="Which column holds what: texts=title, label=none; repeat it."),
    ] = None,
    taxonomy: Annotated[Path | None, typer.Option(help="File of edges between classes.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the study and stop.")] = False,
    serve: Annotated[bool, typer.Option(help="Serve the search page in the end.")] = True,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the page.")] = 8000,
    engine: Annotated[engines.Engine, typer.Option(help="What runs the stages.")] = "snakemake",
) -> None:
    """Look at the data, write studies/NAME.yaml, find the best method in --minutes, run the study, and serve its page.

    Methods and sizes are chosen on the validation split alone. Interrupted, the same command goes on where it was.
    """
    began = time.monotonic()
    name = name or advice.slug(path)
    if not re.fullmatch(NAME, name):
        raise KithError(f"--name {name}: letters, digits and underscores, a letter or digit first")
    if not Path("dvc.yaml").is_file() or not Path("Snakefile").is_file():
        raise KithError("there is no dvc.yaml here; run it in Kith's folder, where the stages are")
    if strange := [each for each in methods or [] if each not in presets()]:
        raise KithError(f"--methods {strange[0]}: no such preset{suggest(strange[0], list(presets()))}")
    if engine == "dvc" and not dry_run:
        engines.check_dvc()
    asked, state = Wanted(path, name, minutes, methods, tuple(column or ()), taxonomy), State(name)
    if not state.is_of(asked.plain) or dry_run:
        if not (yes or dry_run or sys.stdin.isatty()):
            raise KithError(NO_TERMINAL)
        with making() as tables:
            _propose(asked, state, tables, dry_run=dry_run, yes=yes)
        if dry_run:
            return
    cli.if_interrupted("the same command goes on where it was")
    _run(asked, state, engine, began)
    _end(name, serve, port)


def _propose(asked: Wanted, state: State, tables: Tables, *, dry_run: bool, yes: bool) -> None:
    """Look at the data, and write the study, or with dry_run print it."""
    plain = asked.plain
    proposal, found, source = look(asked, tables)
    print(f"  methods: {told(proposal)}", flush=True)
    head = writing.head(asked.name, asked.path.as_posix(), found, source, proposal.said)
    text = _first_study(proposal, head)
    if dry_run:
        print(f"\nstudies/{asked.name}.yaml would be, before the search:\n\n{text}", end="")
        return
    _confirm(yes)
    tables.keep(state.tables)
    state.begin(plain)
    state.write_study(text, proposal=proposal.plain, head=head)
    print(f"{state.study} is written")


def _confirm(yes: bool) -> None:
    if yes:
        return
    answer = input("Is that right, and shall it run? [Y/n] ").strip().lower()
    if answer not in ("", "y", "yes"):
        raise KithError("nothing was written; say it with --column FIELD=NAME, --methods and --minutes (--help)")


def _first_study(proposal: Proposal, head: list[str]) -> str:
    """The study with the candidates that are tried first: every one of them is of the search, and not of the study."""
    likeliest = {each.preset: each for each in reversed(proposal.candidates)}
    methods = dict(renamed(likeliest[preset], proposal.most) for preset in reversed(likeliest))
    return writing.study_text(proposal.content(methods | proposal.baselines), head)


def _run(asked: Wanted, state: State, engine: engines.Engine, began: float) -> None:
    """The stages of the data, the search, the study with what it has chosen, and all its stages."""
    proposal, log = Proposal.of(state.content["proposal"]), state.folder / "engine.log"
    began += engines.wait(partial(_tell, began))  # that time is not of the search
    check_idle()  # DVC, for which nothing waits
    study.choose(asked.name, [])
    if not state.content["chosen"]:
        _tell(began, f"preparing and encoding (what {engine} says: {log})")
        engines.run(engine, engines.cores(), log, only_data=True, tell=partial(_tell, began))
        if "seconds" not in state.content:
            left = max(60 * asked.minutes - (time.monotonic() - began), budget.AT_LEAST * 60 * asked.minutes)
            state.note(seconds=round(budget.SEARCHING * left, 1))
        _tell(began, f"searching for {state.content['seconds']:.0f} s at most, by the validation split")
        races = Search(proposal, state, state.content["seconds"]).run()
        text = _final_study(proposal, races, state.content["head"])
        state.write_study(text, chosen=True)
        study.choose(asked.name, [])
    _tell(began, "training, measuring and reporting what was chosen")
    engines.run(engine, engines.cores(), log, tell=partial(_tell, began))


def _tell(began: float, what: str) -> None:
    print(f"[{time.monotonic() - began:4.0f} s] {what}", file=sys.stderr, flush=True)


def _final_study(proposal: Proposal, races: dict[str, Race], head: list[str]) -> str:
    """The study of each race's winner, the best of another preset, and the encoders as they are."""
    methods: dict[str, Any] = {}
    lines = list(head[:-1])
    candidates = {each.name: each for each in proposal.candidates}
    for race, found in races.items():
        best = _best_of_presets(found, candidates)
        methods |= dict(renamed(candidates[each.candidate], each.epochs) for each in best)
        tried, winner = len({each.candidate for each in found.trials}), found.winner
        lines.append(
            f"Chosen by {SCORES[race].upper()} on the validation split: {winner.candidate}, {winner.epochs} epochs "
            f"({winner.score:.3f}), {tried} of {tried + len(found.untried)} candidates tried, "
            f"trials: {len(found.trials)}, {found.seconds:.0f} s."
        )
        if found.untried:
            lines.append(f"No time was left to try {', '.join(found.untried)}.")
    note = "Methods, sizes and numbers of epochs were chosen on the validation split by kith new."
    return writing.study_text(proposal.content(methods | proposal.baselines, note=note), [*lines, head[-1]])


def _best_of_presets(race: Race, candidates: dict[str, Candidate]) -> list[Any]:
    """The winner, and the best trial of another preset that was tried more than once, if there is one."""
    preset = candidates[race.winner.candidate].preset
    later = [each for each in race.trials if each.epochs > race.trials[0].epochs]
    others = [each for each in later if candidates[each.candidate].preset != preset]
    return [race.winner, *sorted(others, key=lambda each: -each.score)[:1]]


def _end(name: str, serve: bool, port: int) -> None:
    """The sentence of the report, and the page."""
    untrained = State(name).content["proposal"]["baselines"]
    print(*ending.sentences(name, untrained), sep="\n")
    runs = ending.best_runs(name, untrained)
    print(f"The report: reports/{name}/report.html. Its figures: kith study {name}, dvc metrics show.")
    shown = " ".join(f"--run {run}" for run in runs)
    print(f"Search: kith search {shown} --serve", flush=True)
    if serve:
        cli.if_interrupted("the same command serves it again")
        search.main(run=runs, serve=True, port=port)


if __name__ == "__main__":
    cli.run(main)
