# What a run has finished is recorded for DVC, also when another stage failed.
from workflow.record import record_run


onsuccess:
    record_run(workflow, dag)


onerror:
    record_run(workflow, dag)
