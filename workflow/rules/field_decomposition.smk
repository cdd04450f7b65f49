rule measure_field_decomposition:
    input:
        code=used_by("workflow/scripts/measure_field_decomposition.py"),
        dataset=plan.dataset,
    output:
        table=report(
            "results/{run}/tables/field_decomposition.csv",
            caption="../report/field_decomposition.rst",
            category="November and December decks",
            labels={"figure": "field_decomposition", "kind": "table"},
        ),
        pictures="results/{run}/pictures/field_decomposition.safetensors",
    log:
        "logs/{run}/measure_field_decomposition.log",
    benchmark:
        "logs/{run}/measure_field_decomposition.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        field_decomposition=plan.settings("field_decomposition"),
        probe=settings.probe.model_dump(),
    message:
        "Table: field_decomposition"
    script:
        "../scripts/measure_field_decomposition.py"


rule draw_field_decomposition:
    input:
        code=used_by("workflow/notebooks/field_decomposition.py"),
        notebook="workflow/notebooks/field_decomposition.py",
        table="results/{run}/tables/field_decomposition.csv",
        pictures="results/{run}/pictures/field_decomposition.safetensors",
    output:
        pdf="figures/{run}/field_decomposition.pdf",
        png=report(
            "figures/{run}/field_decomposition.png",
            caption="../report/field_decomposition.rst",
            category="November and December decks",
            labels={"figure": "field_decomposition", "kind": "figure"},
        ),
        html="results/{run}/notebooks/field_decomposition.html",
    log:
        notebook="logs/{run}/draw_field_decomposition.ipynb",
    benchmark:
        "logs/{run}/draw_field_decomposition.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: field_decomposition"
    script:
        "../scripts/run_notebook.py"
