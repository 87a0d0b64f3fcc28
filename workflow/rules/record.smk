# What a run has finished is recorded for DVC, also when another stage failed; and ranked, so that it can be seen.
from kith.errors import KithError


onsuccess:
    run.end()


onerror:
    try:
        run.end()
    except (KithError, OSError) as error:  # of a full disk too, on which a stage cannot write why it failed
        print(f"error: {told.line_of(error) or error}", file=sys.stderr)
    run.put_back()
    run.rank_the_others()
