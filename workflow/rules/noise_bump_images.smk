rule measure_noise_bump_images:
    input:
        code=used_by("workflow/scripts/measure_noise_bump_images.py"),
        dataset=plan.dataset,
        checkpoints=plan.bump_checkpoints(),
        bumps="results/{run}/tables/noise_curves_summary.csv",
    output:
        table=report(
            "results/{run}/tables/noise_bump_images.csv",
            caption="../report/noise_bump_images.rst",
            category="October deck",
            labels={"figure": "noise_bump_images", "kind": "table"},
        ),
        pictures="results/{run}/pictures/noise_bump_images.safetensors",
    log:
        "logs/{run}/measure_noise_bump_images.log",
    benchmark:
        "logs/{run}/measure_noise_bump_images.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        probe=settings.probe.model_dump(),
        noise_bump_images=plan.settings("noise_bump_images"),
    message:
        "Table: noise_bump_images"
    script:
        "../scripts/measure_noise_bump_images.py"


rule draw_noise_bump_images:
    input:
        code=used_by("workflow/notebooks/noise_bump_images.py"),
        notebook="workflow/notebooks/noise_bump_images.py",
        table="results/{run}/tables/noise_bump_images.csv",
        pictures="results/{run}/pictures/noise_bump_images.safetensors",
    output:
        pdf="figures/{run}/noise_bump_images.pdf",
        png=report(
            "figures/{run}/noise_bump_images.png",
            caption="../report/noise_bump_images.rst",
            category="October deck",
            labels={"figure": "noise_bump_images", "kind": "figure"},
        ),
        html="results/{run}/notebooks/noise_bump_images.html",
    log:
        notebook="logs/{run}/draw_noise_bump_images.ipynb",
    benchmark:
        "logs/{run}/draw_noise_bump_images.benchmark.tsv"
    group:
        "figures"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        images=settings.dataset.title,
    message:
        "Figure: noise_bump_images"
    script:
        "../scripts/run_notebook.py"
