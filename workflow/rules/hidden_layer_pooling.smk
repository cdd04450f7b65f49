rule measure_hidden_layer_pooling:
    input:
        code=used_by("workflow/scripts/measure_hidden_layer_pooling.py"),
        dataset=plan.dataset,
        checkpoints="results/{run}/networks/{net}/{variant}/checkpoints",
    output:
        table="results/{run}/networks/{net}/{variant}/hidden_layer_pooling.csv",
        summary="results/{run}/networks/{net}/{variant}/hidden_layer_pooling_summary.csv",
    log:
        "logs/{run}/measure_hidden_layer_pooling/{net}/{variant}.log",
    benchmark:
        "logs/{run}/measure_hidden_layer_pooling/{net}/{variant}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=training_gpus,
    params:
        probe=settings.probe.model_dump(),
        stability=plan.settings("stability"),
        trained_part=lambda wildcards: plan.trainings[
            wildcards.net, wildcards.variant
        ].trained_part,
        device=settings.device,
    message:
        "Measure hidden_layer_pooling: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/measure_hidden_layer_pooling.py"


rule collect_hidden_layer_pooling:
    input:
        code=used_by("workflow/scripts/collect_tables.py"),
        tables=plan.measured("hidden_layer_pooling"),
        summaries=plan.measured("hidden_layer_pooling", "_summary.csv"),
    output:
        table=report(
            "results/{run}/tables/hidden_layer_pooling.csv",
            caption="../report/hidden_layer_pooling.rst",
            category="November and December decks",
            labels={"figure": "hidden_layer_pooling", "kind": "table"},
        ),
        summary="results/{run}/tables/hidden_layer_pooling_summary.csv",
    log:
        "logs/{run}/collect_hidden_layer_pooling.log",
    benchmark:
        "logs/{run}/collect_hidden_layer_pooling.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    message:
        "Table: hidden_layer_pooling"
    script:
        "../scripts/collect_tables.py"


rule draw_hidden_layer_pooling:
    input:
        code=used_by("workflow/notebooks/hidden_layer_pooling.py"),
        notebook="workflow/notebooks/hidden_layer_pooling.py",
        table="results/{run}/tables/hidden_layer_pooling.csv",
        summary="results/{run}/tables/hidden_layer_pooling_summary.csv",
    output:
        pdf="figures/{run}/hidden_layer_pooling.pdf",
        png=report(
            "figures/{run}/hidden_layer_pooling.png",
            caption="../report/hidden_layer_pooling.rst",
            category="November and December decks",
            labels={"figure": "hidden_layer_pooling", "kind": "figure"},
        ),
        html="results/{run}/notebooks/hidden_layer_pooling.html",
    log:
        notebook="logs/{run}/draw_hidden_layer_pooling.ipynb",
    benchmark:
        "logs/{run}/draw_hidden_layer_pooling.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: hidden_layer_pooling"
    script:
        "../scripts/run_notebook.py"
