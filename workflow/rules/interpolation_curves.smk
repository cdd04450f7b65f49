rule measure_interpolation_curves:
    input:
        code=used_by("workflow/scripts/measure_interpolation_curves.py"),
        dataset=plan.dataset,
        checkpoints="results/{run}/networks/{net}/{variant}/checkpoints",
    output:
        table="results/{run}/networks/{net}/{variant}/interpolation_curves.csv",
    log:
        "logs/{run}/measure_interpolation_curves/{net}/{variant}.log",
    benchmark:
        "logs/{run}/measure_interpolation_curves/{net}/{variant}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=training_gpus,
    params:
        probe=settings.probe.model_dump(),
        interpolation_curves=lambda wildcards: plan.settings(
            "interpolation_curves", wildcards.net
        ),
        device=settings.device,
    message:
        "Measure interpolation_curves: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/measure_interpolation_curves.py"


rule collect_interpolation_curves:
    input:
        code=used_by("workflow/scripts/collect_tables.py"),
        tables=plan.measured("interpolation_curves"),
    output:
        table=report(
            "results/{run}/tables/interpolation_curves.csv",
            caption="../report/interpolation_curves.rst",
            category="October deck",
            labels={"figure": "interpolation_curves", "kind": "table"},
        ),
    log:
        "logs/{run}/collect_interpolation_curves.log",
    benchmark:
        "logs/{run}/collect_interpolation_curves.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    message:
        "Table: interpolation_curves"
    script:
        "../scripts/collect_tables.py"


rule draw_interpolation_curves:
    input:
        code=used_by("workflow/notebooks/interpolation_curves.py"),
        notebook="workflow/notebooks/interpolation_curves.py",
        table="results/{run}/tables/interpolation_curves.csv",
    output:
        pdf="figures/{run}/interpolation_curves.pdf",
        png=report(
            "figures/{run}/interpolation_curves.png",
            caption="../report/interpolation_curves.rst",
            category="October deck",
            labels={"figure": "interpolation_curves", "kind": "figure"},
        ),
        html="results/{run}/notebooks/interpolation_curves.html",
    log:
        notebook="logs/{run}/draw_interpolation_curves.ipynb",
    benchmark:
        "logs/{run}/draw_interpolation_curves.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: interpolation_curves"
    script:
        "../scripts/run_notebook.py"
