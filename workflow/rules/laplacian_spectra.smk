rule measure_laplacian_spectra:
    input:
        code=used_by("workflow/scripts/measure_laplacian_spectra.py"),
        checkpoints="results/{run}/networks/{net}/{variant}/checkpoints",
    output:
        table="results/{run}/networks/{net}/{variant}/laplacian_spectra.csv",
    log:
        "logs/{run}/measure_laplacian_spectra/{net}/{variant}.log",
    benchmark:
        "logs/{run}/measure_laplacian_spectra/{net}/{variant}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        probe=settings.probe.model_dump(),
    message:
        "Measure laplacian_spectra: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/measure_laplacian_spectra.py"


rule collect_laplacian_spectra:
    input:
        code=used_by("workflow/scripts/collect_tables.py"),
        tables=plan.measured("laplacian_spectra"),
    output:
        table=report(
            "results/{run}/tables/laplacian_spectra.csv",
            caption="../report/laplacian_spectra.rst",
            category="October deck",
            labels={"figure": "laplacian_spectra", "kind": "table"},
        ),
    log:
        "logs/{run}/collect_laplacian_spectra.log",
    benchmark:
        "logs/{run}/collect_laplacian_spectra.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    message:
        "Table: laplacian_spectra"
    script:
        "../scripts/collect_tables.py"


rule draw_laplacian_spectra:
    input:
        code=used_by("workflow/notebooks/laplacian_spectra.py"),
        notebook="workflow/notebooks/laplacian_spectra.py",
        table="results/{run}/tables/laplacian_spectra.csv",
    output:
        pdf="figures/{run}/laplacian_spectra.pdf",
        png=report(
            "figures/{run}/laplacian_spectra.png",
            caption="../report/laplacian_spectra.rst",
            category="October deck",
            labels={"figure": "laplacian_spectra", "kind": "figure"},
        ),
        html="results/{run}/notebooks/laplacian_spectra.html",
    log:
        notebook="logs/{run}/draw_laplacian_spectra.ipynb",
    benchmark:
        "logs/{run}/draw_laplacian_spectra.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: laplacian_spectra"
    script:
        "../scripts/run_notebook.py"
