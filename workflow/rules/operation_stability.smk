rule measure_operation_stability:
    input:
        code=used_by("workflow/scripts/measure_operation_stability.py"),
        dataset=plan.dataset,
        checkpoints="results/{run}/networks/{net}/{variant}/checkpoints",
    output:
        table="results/{run}/networks/{net}/{variant}/operation_stability.csv",
    log:
        "logs/{run}/measure_operation_stability/{net}/{variant}.log",
    benchmark:
        "logs/{run}/measure_operation_stability/{net}/{variant}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=training_gpus,
    params:
        probe=settings.probe.model_dump(),
        stability=plan.settings("stability"),
        device=settings.device,
    message:
        "Measure operation_stability: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/measure_operation_stability.py"


rule collect_operation_stability:
    input:
        code=used_by("workflow/scripts/collect_tables.py"),
        tables=plan.measured("operation_stability"),
    output:
        table=report(
            "results/{run}/tables/operation_stability.csv",
            caption="../report/operation_stability.rst",
            category="October deck",
            labels={"figure": "operation_stability", "kind": "table"},
        ),
    log:
        "logs/{run}/collect_operation_stability.log",
    benchmark:
        "logs/{run}/collect_operation_stability.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    message:
        "Table: operation_stability"
    script:
        "../scripts/collect_tables.py"


rule draw_operation_stability:
    input:
        code=used_by("workflow/notebooks/operation_stability.py"),
        notebook="workflow/notebooks/operation_stability.py",
        table="results/{run}/tables/operation_stability.csv",
    output:
        pdf="figures/{run}/operation_stability.pdf",
        png=report(
            "figures/{run}/operation_stability.png",
            caption="../report/operation_stability.rst",
            category="October deck",
            labels={"figure": "operation_stability", "kind": "figure"},
        ),
        html="results/{run}/notebooks/operation_stability.html",
    log:
        notebook="logs/{run}/draw_operation_stability.ipynb",
    benchmark:
        "logs/{run}/draw_operation_stability.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: operation_stability"
    script:
        "../scripts/run_notebook.py"
