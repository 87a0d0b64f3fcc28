"""Rank what has finished where other methods have failed."""

from pathlib import Path

from kith.data.digests import sha256
from kith.errors import KithError
from stages import cli, compare, params, report
from workflow import failed


def main() -> None:
    """Write leaderboard and report of the methods that have finished to reports/<study>/partial; the others are named
    there, with the reason.

    Raises KithError where no method has finished, or all have: then the stages compare and report do the same.
    """
    settings = params.load()
    study = settings.study
    data, runs, out = (Path(place, study.name) for place in ("data", "runs", "reports"))
    out /= compare.PARTIAL
    missing = lacking(settings, data / "prepared", runs)
    left = [method for method in study.methods if method not in missing]
    told = "\n".join(f"{method}: {reason}" for method, reason in missing.items())
    if not missing or not left:
        what = "no method has finished" if missing else "every method has finished, `dvc repro` ranks them all"
        raise KithError("\n".join(filter(None, [f"{study.name}: {what}", told])))
    chosen, made = of_methods(settings, left), {"data": data / "prepared", "neighbors": data / "neighbors"}
    compare.write(chosen, missing, **made, runs=runs, out=out)
    places = {"taxonomy": data / "taxonomy", "compared": out, "figures": out / "figures", "page": out / "report.html"}
    report.write(chosen, missing, **made, runs=runs, **places)
    print(f"{out}/leaderboard.md and report.html rank {len(left)} of {len(study.methods)} methods. Not ranked:\n{told}")


def lacking(settings: params.Params, data: Path, runs: Path) -> dict[str, str]:
    """Why a method cannot be ranked, by method: one of its runs failed, or is not of these data and parameters."""
    checksum = sha256(compare.there(data / "dataset.json", "prepare"))
    missing: dict[str, str] = {}
    for method in settings.study.methods:
        each = [f"{method}-{seed}" for seed in settings.study.seeds]
        named = {run: failed.reason(settings.study.name, run, runs / run / "evaluated.json") for run in each}
        if known := [f"{run}: {reason}" for run, reason in named.items() if reason is not None]:
            missing[method] = "; ".join(known)
            continue
        try:
            compare.read_runs(of_methods(settings, [method]), runs, checksum)
        except KithError as error:
            missing[method] = str(error)
    return missing


def of_methods(settings: params.Params, methods: list[str]) -> params.Params:
    """The same study of fewer methods."""
    expected = {method: each for method, each in settings.expect.items() if method in methods}
    return settings.model_copy(
        update={"study": settings.study.model_copy(update={"methods": methods}), "expect": expected}
    )


if __name__ == "__main__":
    cli.run(main)
