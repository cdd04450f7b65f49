rule measure_stability_vs_error:
    input:
        code=used_by("workflow/scripts/measure_stability_vs_error.py"),
        stability="results/{run}/tables/stability.csv",
    output:
        table=report(
            "results/{run}/tables/stability_vs_error.csv",
            caption="../report/stability_vs_error.rst",
            category="October deck",
            labels={"figure": "stability_vs_error", "kind": "table"},
        ),
    log:
        "logs/{run}/measure_stability_vs_error.log",
    benchmark:
        "logs/{run}/measure_stability_vs_error.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        correlation=plan.settings("stability_vs_error"),
    message:
        "Table: stability_vs_error"
    script:
        "../scripts/measure_stability_vs_error.py"


rule draw_stability_vs_error:
    input:
        code=used_by("workflow/notebooks/stability_vs_error.py"),
        notebook="workflow/notebooks/stability_vs_error.py",
        table="results/{run}/tables/stability_vs_error.csv",
        stability="results/{run}/tables/stability.csv",
    output:
        pdf="figures/{run}/stability_vs_error.pdf",
        png=report(
            "figures/{run}/stability_vs_error.png",
            caption="../report/stability_vs_error.rst",
            category="October deck",
            labels={"figure": "stability_vs_error", "kind": "figure"},
        ),
        html="results/{run}/notebooks/stability_vs_error.html",
    log:
        notebook="logs/{run}/draw_stability_vs_error.ipynb",
    benchmark:
        "logs/{run}/draw_stability_vs_error.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: stability_vs_error"
    script:
        "../scripts/run_notebook.py"
