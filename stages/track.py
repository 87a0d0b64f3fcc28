"""Show which records wait for MLflow, or send them."""

from typing import Annotated

import typer

from kith.errors import KithError
from stages import cli
from stages.tracking import connection, recorder, spool


def main(
    *,
    send: Annotated[bool, typer.Option("--send", help="Send them now.")] = False,
    to: Annotated[
        str | None, typer.Option(help="A store in place of the one they are for, such as its new address.")
    ] = None,
) -> None:
    """List the records that wait, because MLflow was away or for the next training, one line a stage; with --send, send
    them.

    Raises KithError where a store cannot be reached, or another process sends just now: nothing is lost by it.
    """
    if to is not None and not send:
        raise KithError("--to is of --send; give both")
    waiting = spool.waiting()
    if not waiting:
        print("Nothing waits.")
    elif not send:
        for path, head in waiting:
            print(f"{path.stem}: study {head['study']}, {len(spool.read(path)) - 1} records for {head['store']}")
    else:
        for store in dict.fromkeys(head["store"] for _, head in waiting):
            _send(store, to or recorder.address(store))


def _send(kept: str, store: str) -> None:
    if not connection.available():
        raise KithError("MLflow is not installed; pip install -r requirements.txt")
    try:
        first = spool.waiting(kept)[0][1]["study"]
        done = recorder.send_waiting(connection.connect(store, first), kept, told=print)
    except Exception as error:
        raise KithError(f"{connection.shown(store)} {recorder.reason(error)}; all that is left still waits") from None
    if not done:
        raise KithError("another process sends just now; wait for it")


if __name__ == "__main__":
    cli.run(main)
