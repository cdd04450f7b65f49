rule measure_channel_shuffling:
    input:
        code=used_by("workflow/scripts/measure_channel_shuffling.py"),
        dataset=plan.dataset,
        checkpoints="results/{run}/networks/{net}/{variant}/checkpoints",
    output:
        table="results/{run}/networks/{net}/{variant}/channel_shuffling.csv",
        summary="results/{run}/networks/{net}/{variant}/channel_shuffling_summary.csv",
    log:
        "logs/{run}/measure_channel_shuffling/{net}/{variant}.log",
    benchmark:
        "logs/{run}/measure_channel_shuffling/{net}/{variant}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=training_gpus,
    params:
        probe=settings.probe.model_dump(),
        channel_shuffling=lambda wildcards: plan.settings(
            "channel_shuffling", wildcards.net
        ),
        stability=plan.settings("stability"),
        device=settings.device,
    message:
        "Measure channel_shuffling: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/measure_channel_shuffling.py"


rule collect_channel_shuffling:
    input:
        code=used_by("workflow/scripts/collect_tables.py"),
        tables=plan.measured("channel_shuffling"),
        summaries=plan.measured("channel_shuffling", "_summary.csv"),
    output:
        table=report(
            "results/{run}/tables/channel_shuffling.csv",
            caption="../report/channel_shuffling.rst",
            category="November and December decks",
            labels={"figure": "channel_shuffling", "kind": "table"},
        ),
        summary="results/{run}/tables/channel_shuffling_summary.csv",
    log:
        "logs/{run}/collect_channel_shuffling.log",
    benchmark:
        "logs/{run}/collect_channel_shuffling.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    message:
        "Table: channel_shuffling"
    script:
        "../scripts/collect_tables.py"


rule draw_channel_shuffling:
    input:
        code=used_by("workflow/notebooks/channel_shuffling.py"),
        notebook="workflow/notebooks/channel_shuffling.py",
        table="results/{run}/tables/channel_shuffling.csv",
        summary="results/{run}/tables/channel_shuffling_summary.csv",
    output:
        pdf="figures/{run}/channel_shuffling.pdf",
        png=report(
            "figures/{run}/channel_shuffling.png",
            caption="../report/channel_shuffling.rst",
            category="November and December decks",
            labels={"figure": "channel_shuffling", "kind": "figure"},
        ),
        html="results/{run}/notebooks/channel_shuffling.html",
    log:
        notebook="logs/{run}/draw_channel_shuffling.ipynb",
    benchmark:
        "logs/{run}/draw_channel_shuffling.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: channel_shuffling"
    script:
        "../scripts/run_notebook.py"
