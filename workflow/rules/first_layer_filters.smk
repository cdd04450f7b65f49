rule measure_first_layer_filters:
    input:
        code=used_by("workflow/scripts/measure_first_layer_filters.py"),
        checkpoints="results/{run}/networks/{net}/{variant}/checkpoints",
    output:
        table="results/{run}/networks/{net}/{variant}/first_layer_filters.csv",
        pictures="results/{run}/networks/{net}/{variant}/first_layer_filters.safetensors",
    log:
        "logs/{run}/measure_first_layer_filters/{net}/{variant}.log",
    benchmark:
        "logs/{run}/measure_first_layer_filters/{net}/{variant}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    message:
        "Measure first_layer_filters: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/measure_first_layer_filters.py"


rule collect_first_layer_filters:
    input:
        code=used_by("workflow/scripts/collect_first_layer_filters.py"),
        tables=plan.measured("first_layer_filters"),
    output:
        table=report(
            "results/{run}/tables/first_layer_filters.csv",
            caption="../report/first_layer_filters.rst",
            category="October deck",
            labels={"figure": "first_layer_filters", "kind": "table"},
        ),
        summary="results/{run}/tables/first_layer_filters_summary.csv",
    log:
        "logs/{run}/collect_first_layer_filters.log",
    benchmark:
        "logs/{run}/collect_first_layer_filters.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        probe=settings.probe.model_dump(),
    message:
        "Table: first_layer_filters"
    script:
        "../scripts/collect_first_layer_filters.py"


rule draw_first_layer_filters:
    input:
        code=used_by("workflow/notebooks/first_layer_filters.py"),
        notebook="workflow/notebooks/first_layer_filters.py",
        table="results/{run}/tables/first_layer_filters.csv",
        summary="results/{run}/tables/first_layer_filters_summary.csv",
        pictures=plan.measured("first_layer_filters", ".safetensors"),
    output:
        pdf="figures/{run}/first_layer_filters.pdf",
        png=report(
            "figures/{run}/first_layer_filters.png",
            caption="../report/first_layer_filters.rst",
            category="October deck",
            labels={"figure": "first_layer_filters", "kind": "figure"},
        ),
        html="results/{run}/notebooks/first_layer_filters.html",
    log:
        notebook="logs/{run}/draw_first_layer_filters.ipynb",
    benchmark:
        "logs/{run}/draw_first_layer_filters.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: first_layer_filters"
    script:
        "../scripts/run_notebook.py"
