rule measure_receptive_fields:
    input:
        code=used_by("workflow/scripts/measure_receptive_fields.py"),
        dataset=plan.dataset,
        checkpoints="results/{run}/networks/{net}/{variant}/checkpoints",
    output:
        table="results/{run}/networks/{net}/{variant}/receptive_fields.csv",
        summary="results/{run}/networks/{net}/{variant}/receptive_fields_summary.csv",
        pictures="results/{run}/networks/{net}/{variant}/receptive_fields.safetensors",
    log:
        "logs/{run}/measure_receptive_fields/{net}/{variant}.log",
    benchmark:
        "logs/{run}/measure_receptive_fields/{net}/{variant}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=training_gpus,
    params:
        probe=settings.probe.model_dump(),
        receptive_fields=lambda wildcards: plan.settings(
            "receptive_fields", wildcards.net
        ),
        device=settings.device,
    message:
        "Measure receptive_fields: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/measure_receptive_fields.py"


rule collect_receptive_fields:
    input:
        code=used_by("workflow/scripts/collect_tables.py"),
        tables=plan.measured("receptive_fields"),
        summaries=plan.measured("receptive_fields", "_summary.csv"),
    output:
        table=report(
            "results/{run}/tables/receptive_fields.csv",
            caption="../report/receptive_fields.rst",
            category="November and December decks",
            labels={"figure": "receptive_fields", "kind": "table"},
        ),
        summary="results/{run}/tables/receptive_fields_summary.csv",
    log:
        "logs/{run}/collect_receptive_fields.log",
    benchmark:
        "logs/{run}/collect_receptive_fields.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    message:
        "Table: receptive_fields"
    script:
        "../scripts/collect_tables.py"


rule draw_receptive_fields:
    input:
        code=used_by("workflow/notebooks/receptive_fields.py"),
        notebook="workflow/notebooks/receptive_fields.py",
        table="results/{run}/tables/receptive_fields.csv",
        summary="results/{run}/tables/receptive_fields_summary.csv",
        pictures=plan.measured("receptive_fields", ".safetensors"),
    output:
        pdf="figures/{run}/receptive_fields.pdf",
        png=report(
            "figures/{run}/receptive_fields.png",
            caption="../report/receptive_fields.rst",
            category="November and December decks",
            labels={"figure": "receptive_fields", "kind": "figure"},
        ),
        html="results/{run}/notebooks/receptive_fields.html",
    log:
        notebook="logs/{run}/draw_receptive_fields.ipynb",
    benchmark:
        "logs/{run}/draw_receptive_fields.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: receptive_fields"
    script:
        "../scripts/run_notebook.py"
