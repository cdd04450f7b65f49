rule measure_stability:
    input:
        code=used_by("workflow/scripts/measure_stability.py"),
        dataset=plan.dataset,
        checkpoints="results/{run}/networks/{net}/{variant}/checkpoints",
    output:
        table="results/{run}/networks/{net}/{variant}/stability.csv",
    log:
        "logs/{run}/measure_stability/{net}/{variant}.log",
    benchmark:
        "logs/{run}/measure_stability/{net}/{variant}.benchmark.tsv"
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
        "Measure stability: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/measure_stability.py"


rule collect_stability:
    input:
        code=used_by("workflow/scripts/collect_tables.py"),
        tables=plan.measured("stability"),
    output:
        table=report(
            "results/{run}/tables/stability.csv",
            caption="../report/stability.rst",
            category="October deck",
            labels={"figure": "stability", "kind": "table"},
        ),
    log:
        "logs/{run}/collect_stability.log",
    benchmark:
        "logs/{run}/collect_stability.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    message:
        "Table: stability"
    script:
        "../scripts/collect_tables.py"


rule draw_stability:
    input:
        code=used_by("workflow/notebooks/stability.py"),
        notebook="workflow/notebooks/stability.py",
        table="results/{run}/tables/stability.csv",
    output:
        pdf="figures/{run}/stability.pdf",
        png=report(
            "figures/{run}/stability.png",
            caption="../report/stability.rst",
            category="October deck",
            labels={"figure": "stability", "kind": "figure"},
        ),
        html="results/{run}/notebooks/stability.html",
    log:
        notebook="logs/{run}/draw_stability.ipynb",
    benchmark:
        "logs/{run}/draw_stability.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: stability"
    script:
        "../scripts/run_notebook.py"
