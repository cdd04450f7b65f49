rule collect_stability_vs_train_size:
    input:
        code=used_by("workflow/scripts/collect_stability_vs_train_size.py"),
        tables=plan.measured("stability_vs_train_size", table="stability"),
    output:
        table=report(
            "results/{run}/tables/stability_vs_train_size.csv",
            caption="../report/stability_vs_train_size.rst",
            category="October deck",
            labels={"figure": "stability_vs_train_size", "kind": "table"},
        ),
    log:
        "logs/{run}/collect_stability_vs_train_size.log",
    benchmark:
        "logs/{run}/collect_stability_vs_train_size.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    message:
        "Table: stability_vs_train_size"
    script:
        "../scripts/collect_stability_vs_train_size.py"


rule draw_stability_vs_train_size:
    input:
        code=used_by("workflow/notebooks/stability_vs_train_size.py"),
        notebook="workflow/notebooks/stability_vs_train_size.py",
        table="results/{run}/tables/stability_vs_train_size.csv",
    output:
        pdf="figures/{run}/stability_vs_train_size.pdf",
        png=report(
            "figures/{run}/stability_vs_train_size.png",
            caption="../report/stability_vs_train_size.rst",
            category="October deck",
            labels={"figure": "stability_vs_train_size", "kind": "figure"},
        ),
        html="results/{run}/notebooks/stability_vs_train_size.html",
    log:
        notebook="logs/{run}/draw_stability_vs_train_size.ipynb",
    benchmark:
        "logs/{run}/draw_stability_vs_train_size.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: stability_vs_train_size"
    script:
        "../scripts/run_notebook.py"
