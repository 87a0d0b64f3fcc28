"""The command line: `kith` with its commands, and `python -m stages.<node>`. What `main` takes becomes options."""

import ast
import contextlib
import inspect
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from kith.errors import KithError, of_machine
from workflow import engine, failed, former

INTERRUPTED = 130
# Of a stage, whatever the machine and the engine: those that dvc.yaml asks a scheduler for. Where torch computes,
# stages take its number from params.yaml.
THREADS = {"stages.neighbors": 2, "stages.report": 2}
# The commands of `kith`, in the order of its help, and the modules whose `main` they run.
COMMANDS = {
    "new": "stages.new",
    "check": "stages.check",
    "study": "stages.study",
    "audit": "stages.audit",
    "drift": "stages.drift",
    "download": "stages.download",
    "search": "stages.search",
    "embed": "stages.predict",
    "export": "stages.export",
    "evaluate": "stages.evaluate_vectors",
    "cost": "stages.cost",
    "evolution": "stages.evolution",
    "partial": "stages.partial",
    "ui": "stages.ui",
    "track": "stages.track",
    "adopt": "workflow.adopt",
    "record": "workflow.record",
}
# What an option of a stage means, in every stage that has it; `dvc.yaml` fills them in.
OPTIONS = {
    "audited": "Folder that the stage audit has written; workflow/none: none.",
    "class_embedding": "Folder that the stage class_embedding has written.",
    "compared": "Folder that the stage compare has written.",
    "cost": "Folder that `kith cost` has written; workflow/none: none.",
    "data": "Folder that the stage prepare has written.",
    "encoded_image": "Folder that the stage encode has written of the pictures; workflow/none: none.",
    "encoded_text": "Folder that the stage encode has written of the texts; workflow/none: none.",
    "encoder": "An encoder of study.encoders in params.yaml.",
    "embedded": "Note of what the vectors are made of.",
    "evaluated": "Note of what the metrics are made of.",
    "figures": "Folder to write the figures to.",
    "history": "File of the history of the training, one row an epoch.",
    "images": "File of the vectors of pictures.",
    "method": "A method of params.yaml.",
    "metrics": "File to write the metrics to.",
    "model": "File of the trained model.",
    "neighbors": "Folder that the stage neighbors has written.",
    "out": "Folder or file to write.",
    "page": "File to write the report to.",
    "queries": "File to write the ranks to, one row a query.",
    "raw": "Folder that the stage fetch has written.",
    "rows": "File that says whose the vectors are.",
    "runs": "Folder of the trained runs.",
    "scores": "File of the class scores of pictures.",
    "seed": "The run's seed.",
    "sides": "What it encodes: image, text, or image,text.",
    "taxonomy": "Folder that the stage taxonomy has written.",
    "text": "Folder that the stage text has written.",
    "texts": "File of the vectors of texts.",
    "trained": "Note of what the model is made of.",
}

# Of what several processes of this machine can share. It decides nothing but the time, so it is no parameter.
Processes = Annotated[
    int, typer.Option(envvar="KITH_PROCESSES", min=1, help="So many processes share the rows; the result is the same.")
]

# Of a table that names pictures.
ImageRoot = Annotated[Path | None, typer.Option(help="Folder of the pictures, by default the table's.")]
Outside = Annotated[
    bool, typer.Option("--outside", help="Allow pictures that lie neither there nor in the table's folder.")
]

# What the line about an interruption says of going on.
_going_on: list[str] = []


def if_interrupted(advice: str) -> None:
    """What Ctrl-C will say from now on, of what follows if the same command is given again."""
    _going_on[:] = [advice]


class Commands(TyperGroup):
    """The commands of `kith`; a module is imported only when its command is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, _, rest = super().resolve_command(ctx, args)
        chosen = command(import_module(COMMANDS[name or ""]).main)
        return name, chosen, _repeated(rest, chosen)


def main(arguments: list[str] | None = None) -> None:
    """The command `kith`; `arguments` are by default those of the command line."""
    _going_on.clear()
    _end(kith(), "kith", arguments)


def run(main: Callable[..., Any], arguments: list[str] | None = None) -> None:
    """Parse the options that `main` declares and call it; `arguments` are by default those of the command line.

    Every keyword-only parameter becomes `--name`, of the annotated type; one without a default is required, and a
    list's option may be repeated. What is annotated with typer.Option or typer.Argument is as that says.
    A KithError ends the process with one line and status 1, without a traceback (set KITH_TRACEBACK=1 to see it);
    options that do not fit end it with one line and status 2, Ctrl-C with one line, which says how to go on (see
    `if_interrupted`), and status 130, as does the end of the engine that has called it.
    """
    from threadpoolctl import threadpool_limits

    module = _module(main)
    if_interrupted("the same command begins this stage again")
    _connect_terminal()
    # A sum depends on how many threads share it, and so does the order of equals: the same number everywhere gives
    # the same bytes.
    threads = THREADS.get(module, 1)
    engine.watch()
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(threads))  # for what is not loaded yet
    with threadpool_limits(threads):
        parser = command(failed.noting(former.keeping(main)))
        given = sys.argv[1:] if arguments is None else arguments
        _end(parser, f"python -m {module}", _repeated(given, parser))


def _connect_terminal() -> None:
    """Where an engine keeps what a stage prints, it gives its own terminal as the file KITH_PROGRESS: progress is told
    there too. Programs that this one starts do not have that file."""
    number = os.environ.pop("KITH_PROGRESS", "")
    if number.isdecimal():
        from kith import progress

        with contextlib.suppress(OSError):
            terminal = os.dup(int(number))
            progress.also_to(lambda line: os.write(terminal, line.encode()))


def kith() -> Any:
    """The group of all commands, as typer's parser."""
    app = _app(cls=Commands, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})
    app.callback(help="Train, compare and use retrieval embeddings of pictures and texts.")(lambda: None)
    for name, module in COMMANDS.items():
        app.command(name, help=_summary(module))(lambda: None)
    return typer.main.get_command(app)


def command(main: Callable[..., Any]) -> Any:
    """`main` as typer's parser of its options."""

    def call(**options: Any) -> None:
        main(**options)

    hints = get_type_hints(main, include_extras=True)
    parameters = inspect.signature(main).parameters.values()
    annotated = {each.name: _declared(each.name, hints[each.name]) for each in parameters}
    declared = [each.replace(annotation=annotated[each.name]) for each in parameters]
    call.__signature__ = inspect.Signature(declared)  # type: ignore[attr-defined]
    call.__annotations__ = annotated
    app = _app(context_settings={"help_option_names": ["-h", "--help"]})
    app.command(help=inspect.getdoc(main))(call)
    return typer.main.get_command(app)


def _repeated(arguments: list[str], parser: Any) -> list[str]:
    """`--set a b` as `--set a --set b`: of options that take several values, one may be followed by all of them.

    Where the command still lacks an argument, the last of them is it: `--methods infonce vsepp products.csv`.
    """
    known = {name: each for each in parser.params for name in each.opts}
    groups: list[list[str]] = [[]]  # an option and the words behind it each; the first has no option
    for argument in arguments:
        if argument.startswith("-"):
            groups.append([])
        groups[-1].append(argument)
    split = [(group[0], *_values(group, known)) for group in groups[1:]]
    lacking = sum(each.param_type_name == "argument" and each.required for each in parser.params)
    lacking -= len(groups[0]) + sum(len(others) for _, _, others in split)
    spread = groups[0]
    for option, values, others in split:
        if lacking > 0 and len(values) > 1:
            others, values, lacking = [values[-1]], values[:-1], lacking - 1
        spread += [each for value in values for each in (option, value)] or [option]
        spread += others
    return spread


def _values(group: list[str], known: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Of the words behind an option those that are its values, and the others."""
    name, *words = group
    option = known.get(name)
    if option is None or getattr(option, "is_flag", False):
        return [], words
    if option.multiple:
        return words, []
    return words[:1], words[1:]


# Without rich, whose import takes longer than all the rest, and which reads [brackets] in help as markup.
_app = partial(typer.Typer, add_completion=False, rich_markup_mode=None)


def _declared(name: str, hint: Any) -> Any:
    """The annotation with typer's declaration of an option, where it has none of its own."""
    if any(isinstance(each, typer.models.ParameterInfo) for each in get_args(hint)[1:]):
        return hint
    return Annotated[hint, typer.Option(help=OPTIONS.get(name))]


def _module(main: Callable[..., Any]) -> str:
    """The module of `main`, also while it is run as a script."""
    spec = getattr(sys.modules[main.__module__], "__spec__", None)
    return spec.name if spec is not None else main.__module__


def _summary(module: str) -> str:
    """The first sentence of a module's docstring, without importing it."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    said = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return " ".join(said.split("\n\n")[0].split())


def _end(parser: Any, prog: str, arguments: list[str] | None) -> None:
    """Parse and run; end the process with a message where that fails."""
    try:
        status = parser.main(arguments, prog_name=prog, standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        if context is not None and type(error).__name__ == "NoArgsIsHelpError":
            print(error.message)
            return
        path = prog if context is None else context.command_path
        print(f"error: {_line(error.format_message())} See `{path} --help`.", file=sys.stderr)
        sys.exit(error.exit_code)
    except KithError as error:
        if os.environ.get("KITH_TRACEBACK"):
            raise
        sys.exit(f"error: {error}")
    except (OSError, MemoryError, RuntimeError) as error:
        line = of_machine(error)
        if os.environ.get("KITH_TRACEBACK") or line is None:
            raise
        sys.exit(f"error: {line}")
    except typer.Abort as error:
        # Typer takes the end of a file for that of the terminal.
        if isinstance(error.__cause__, EOFError):
            raise error.__cause__ from None
        status = INTERRUPTED
    if status == INTERRUPTED:
        print("\n" + "; ".join(["interrupted", *_going_on]), file=sys.stderr)
    if status:
        sys.exit(status)


def _line(message: str) -> str:
    """On one line, with a full stop."""
    line = " ".join(message.split())
    return line if line.endswith((".", "?", "!")) else f"{line}."


if __name__ == "__main__":
    from stages.cli import main  # the module that commands import too: there is what Ctrl-C will say

    main()
