rule measure_deformations:
    input:
        code=used_by("workflow/scripts/measure_deformations.py"),
        dataset=plan.dataset,
    output:
        table=report(
            "results/{run}/tables/deformations.csv",
            caption="../report/deformations.rst",
            category="October deck",
            labels={"figure": "deformations", "kind": "table"},
        ),
        pictures="results/{run}/pictures/deformations.safetensors",
    log:
        "logs/{run}/measure_deformations.log",
    benchmark:
        "logs/{run}/measure_deformations.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        deformations=plan.settings("deformations"),
        probe=settings.probe.model_dump(),
    message:
        "Table: deformations"
    script:
        "../scripts/measure_deformations.py"


rule draw_deformations:
    input:
        code=used_by("workflow/notebooks/deformations.py"),
        notebook="workflow/notebooks/deformations.py",
        table="results/{run}/tables/deformations.csv",
        pictures="results/{run}/pictures/deformations.safetensors",
    output:
        pdf="figures/{run}/deformations.pdf",
        png=report(
            "figures/{run}/deformations.png",
            caption="../report/deformations.rst",
            category="October deck",
            labels={"figure": "deformations", "kind": "figure"},
        ),
        html="results/{run}/notebooks/deformations.html",
    log:
        notebook="logs/{run}/draw_deformations.ipynb",
    benchmark:
        "logs/{run}/draw_deformations.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: deformations"
    script:
        "../scripts/run_notebook.py"
