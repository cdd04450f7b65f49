rule evaluate_claims:
    input:
        claims=ancient("config/claims.yaml"),
        tables=plan.every_table(),
    output:
        table=report(
            "results/{run}/tables/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
            labels={"figure": "claims", "kind": "table"},
        ),
    log:
        "logs/{run}/evaluate_claims.log",
    benchmark:
        "logs/{run}/evaluate_claims.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code.claims(),
        labels=as_param(plan.labels),
        kinds=as_param(plan.kinds),
        claims=code.contents("config/claims.yaml"),
    message:
        "Table: claims"
    script:
        "../scripts/evaluate_claims.py"
