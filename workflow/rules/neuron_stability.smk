rule measure_neuron_stability:
    input:
        code=used_by("workflow/scripts/measure_neuron_stability.py"),
        dataset=plan.dataset,
        checkpoints="results/{run}/networks/{net}/{variant}/checkpoints",
    output:
        table="results/{run}/networks/{net}/{variant}/neuron_stability.csv",
        summary="results/{run}/networks/{net}/{variant}/neuron_stability_summary.csv",
    log:
        "logs/{run}/measure_neuron_stability/{net}/{variant}.log",
    benchmark:
        "logs/{run}/measure_neuron_stability/{net}/{variant}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=training_gpus,
    params:
        probe=settings.probe.model_dump(),
        neuron_stability=lambda wildcards: plan.settings(
            "neuron_stability", wildcards.net
        ),
        device=settings.device,
    message:
        "Measure neuron_stability: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/measure_neuron_stability.py"


rule collect_neuron_stability:
    input:
        code=used_by("workflow/scripts/collect_tables.py"),
        tables=plan.measured("neuron_stability"),
        summaries=plan.measured("neuron_stability", "_summary.csv"),
    output:
        table=report(
            "results/{run}/tables/neuron_stability.csv",
            caption="../report/neuron_stability.rst",
            category="November and December decks",
            labels={"figure": "neuron_stability", "kind": "table"},
        ),
        summary="results/{run}/tables/neuron_stability_summary.csv",
    log:
        "logs/{run}/collect_neuron_stability.log",
    benchmark:
        "logs/{run}/collect_neuron_stability.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    message:
        "Table: neuron_stability"
    script:
        "../scripts/collect_tables.py"


rule draw_neuron_stability:
    input:
        code=used_by("workflow/notebooks/neuron_stability.py"),
        notebook="workflow/notebooks/neuron_stability.py",
        table="results/{run}/tables/neuron_stability.csv",
        summary="results/{run}/tables/neuron_stability_summary.csv",
    output:
        pdf="figures/{run}/neuron_stability.pdf",
        png=report(
            "figures/{run}/neuron_stability.png",
            caption="../report/neuron_stability.rst",
            category="November and December decks",
            labels={"figure": "neuron_stability", "kind": "figure"},
        ),
        html="results/{run}/notebooks/neuron_stability.html",
    log:
        notebook="logs/{run}/draw_neuron_stability.ipynb",
    benchmark:
        "logs/{run}/draw_neuron_stability.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: neuron_stability"
    script:
        "../scripts/run_notebook.py"
