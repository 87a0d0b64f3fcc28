# What a run has finished is recorded for DVC, also when another stage failed.
from kith.errors import KithError


onsuccess:
    run.end()


onerror:
    try:
        run.end()
    except KithError as error:
        print(error, file=sys.stderr)
