rule measure_activation_spectra:
    input:
        code=used_by("workflow/scripts/measure_activation_spectra.py"),
        dataset=plan.dataset,
        checkpoints="results/{run}/networks/{net}/{variant}/checkpoints",
    output:
        table="results/{run}/networks/{net}/{variant}/activation_spectra.csv",
        summary="results/{run}/networks/{net}/{variant}/activation_spectra_summary.csv",
    log:
        "logs/{run}/measure_activation_spectra/{net}/{variant}.log",
    benchmark:
        "logs/{run}/measure_activation_spectra/{net}/{variant}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=training_gpus,
    params:
        probe=settings.probe.model_dump(),
        device=settings.device,
    message:
        "Measure activation_spectra: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/measure_activation_spectra.py"


rule collect_activation_spectra:
    input:
        code=used_by("workflow/scripts/collect_tables.py"),
        tables=plan.measured("activation_spectra"),
        summaries=plan.measured("activation_spectra", "_summary.csv"),
    output:
        table=report(
            "results/{run}/tables/activation_spectra.csv",
            caption="../report/activation_spectra.rst",
            category="October deck",
            labels={"figure": "activation_spectra", "kind": "table"},
        ),
        summary="results/{run}/tables/activation_spectra_summary.csv",
    log:
        "logs/{run}/collect_activation_spectra.log",
    benchmark:
        "logs/{run}/collect_activation_spectra.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    message:
        "Table: activation_spectra"
    script:
        "../scripts/collect_tables.py"


rule draw_activation_spectra:
    input:
        code=used_by("workflow/notebooks/activation_spectra.py"),
        notebook="workflow/notebooks/activation_spectra.py",
        table="results/{run}/tables/activation_spectra.csv",
        summary="results/{run}/tables/activation_spectra_summary.csv",
    output:
        pdf="figures/{run}/activation_spectra.pdf",
        png=report(
            "figures/{run}/activation_spectra.png",
            caption="../report/activation_spectra.rst",
            category="October deck",
            labels={"figure": "activation_spectra", "kind": "figure"},
        ),
        html="results/{run}/notebooks/activation_spectra.html",
    log:
        notebook="logs/{run}/draw_activation_spectra.ipynb",
    benchmark:
        "logs/{run}/draw_activation_spectra.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: activation_spectra"
    script:
        "../scripts/run_notebook.py"
