rule measure_rotation_coupling:
    input:
        code=used_by("workflow/scripts/measure_rotation_coupling.py"),
        checkpoints="results/{run}/networks/{net}/{variant}/checkpoints",
    output:
        table="results/{run}/networks/{net}/{variant}/rotation_coupling.csv",
        summary="results/{run}/networks/{net}/{variant}/rotation_coupling_summary.csv",
    log:
        "logs/{run}/measure_rotation_coupling/{net}/{variant}.log",
    benchmark:
        "logs/{run}/measure_rotation_coupling/{net}/{variant}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        probe=settings.probe.model_dump(),
        rotation_coupling=lambda wildcards: plan.settings(
            "rotation_coupling", wildcards.net
        ),
    message:
        "Measure rotation_coupling: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/measure_rotation_coupling.py"


rule collect_rotation_coupling:
    input:
        code=used_by("workflow/scripts/collect_tables.py"),
        tables=plan.measured("rotation_coupling"),
        summaries=plan.measured("rotation_coupling", "_summary.csv"),
    output:
        table=report(
            "results/{run}/tables/rotation_coupling.csv",
            caption="../report/rotation_coupling.rst",
            category="October deck",
            labels={"figure": "rotation_coupling", "kind": "table"},
        ),
        summary="results/{run}/tables/rotation_coupling_summary.csv",
    log:
        "logs/{run}/collect_rotation_coupling.log",
    benchmark:
        "logs/{run}/collect_rotation_coupling.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    message:
        "Table: rotation_coupling"
    script:
        "../scripts/collect_tables.py"


rule draw_rotation_coupling:
    input:
        code=used_by("workflow/notebooks/rotation_coupling.py"),
        notebook="workflow/notebooks/rotation_coupling.py",
        table="results/{run}/tables/rotation_coupling.csv",
        summary="results/{run}/tables/rotation_coupling_summary.csv",
    output:
        pdf="figures/{run}/rotation_coupling.pdf",
        png=report(
            "figures/{run}/rotation_coupling.png",
            caption="../report/rotation_coupling.rst",
            category="October deck",
            labels={"figure": "rotation_coupling", "kind": "figure"},
        ),
        html="results/{run}/notebooks/rotation_coupling.html",
    log:
        notebook="logs/{run}/draw_rotation_coupling.ipynb",
    benchmark:
        "logs/{run}/draw_rotation_coupling.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: rotation_coupling"
    script:
        "../scripts/run_notebook.py"
