# One rule a stage. What depends on the stage is bound by `rule_of`, not by the loop: Snakemake calls input and params
# functions after the loop has ended, and `shell` has to be one constant for the same reason. What a stage prints is in
# its log, and at its end what it took, for benchmarks/timeline.py; how far it is, it tells on Snakemake's own terminal
# too, as file 3.
for stage in dag.stages:
    inputs, cmd, values = rule_of(stage)

    rule:
        name:
            stage.name
        input:
            inputs,
        output:
            [declare(out) for out in stage.fill_all(stage.outs, stage.wildcards())],
        log:
            stage.log(),
        benchmark:
            f"{stage.log().removesuffix('.log')}.tsv"
        wildcard_constraints:
            **stage.constraints(),
        conda:
            "../envs/kith.yaml"
        threads: stage.meta.get("threads", 1)
        priority: stage.meta.get("priority", 0)
        resources:
            **{name: amount for name, amount in stage.meta.items() if name not in ("threads", "priority")},
        params:
            cmd=cmd,
            values=values,
        message:
            stage.desc
        shell:
            "( export KITH_PROGRESS=3; TIMEFORMAT='took %R s: %U s of a processor, %S s of the system'; "
            "time {{ {params.cmd}; }} ) 3>&2 > {log} 2>&1"

    workflow.get_rule(stage.name).docstring = stage.desc
