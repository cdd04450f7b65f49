rule measure_noise_curves:
    input:
        code=used_by("workflow/scripts/measure_noise_curves.py"),
        dataset=plan.dataset,
        checkpoints="results/{run}/networks/{net}/{variant}/checkpoints",
    output:
        table="results/{run}/networks/{net}/{variant}/noise_curves.csv",
        summary="results/{run}/networks/{net}/{variant}/noise_curves_summary.csv",
    log:
        "logs/{run}/measure_noise_curves/{net}/{variant}.log",
    benchmark:
        "logs/{run}/measure_noise_curves/{net}/{variant}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=training_gpus,
    params:
        probe=settings.probe.model_dump(),
        noise_curves=lambda wildcards: plan.settings("noise_curves", wildcards.net),
        device=settings.device,
    message:
        "Measure noise_curves: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/measure_noise_curves.py"


rule collect_noise_curves:
    input:
        code=used_by("workflow/scripts/collect_tables.py"),
        tables=plan.measured("noise_curves"),
        summaries=plan.measured("noise_curves", "_summary.csv"),
    output:
        table=report(
            "results/{run}/tables/noise_curves.csv",
            caption="../report/noise_curves.rst",
            category="October deck",
            labels={"figure": "noise_curves", "kind": "table"},
        ),
        summary="results/{run}/tables/noise_curves_summary.csv",
    log:
        "logs/{run}/collect_noise_curves.log",
    benchmark:
        "logs/{run}/collect_noise_curves.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    message:
        "Table: noise_curves"
    script:
        "../scripts/collect_tables.py"


rule draw_noise_curves:
    input:
        code=used_by("workflow/notebooks/noise_curves.py"),
        notebook="workflow/notebooks/noise_curves.py",
        table="results/{run}/tables/noise_curves.csv",
        summary="results/{run}/tables/noise_curves_summary.csv",
    output:
        pdf="figures/{run}/noise_curves.pdf",
        png=report(
            "figures/{run}/noise_curves.png",
            caption="../report/noise_curves.rst",
            category="October deck",
            labels={"figure": "noise_curves", "kind": "figure"},
        ),
        html="results/{run}/notebooks/noise_curves.html",
    log:
        notebook="logs/{run}/draw_noise_curves.ipynb",
    benchmark:
        "logs/{run}/draw_noise_curves.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: noise_curves"
    script:
        "../scripts/run_notebook.py"
