# On a cluster, only the machine where Snakemake was started may reach what lies outside
localrules:
    fetch_dataset,
    import_network,


rule fetch_dataset:
    output:
        dataset=plan.dataset,
    log:
        f"logs/datasets/{settings.dataset.folder}.log",
    benchmark:
        f"logs/datasets/{settings.dataset.folder}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=code.dataset(),
        # The images' content and not their times, by which Snakemake goes for inputs
        contents=lambda wildcards: plan.contents(plan.images()),
        source=settings.dataset.source,
        # Of what functions return Snakemake takes nothing in braces for wildcards
        path=lambda wildcards: settings.dataset.path,
        image_size=settings.dataset.image_size,
        mirror=lambda wildcards: settings.dataset.mirror,
        test_only=settings.dataset.test_only,
        normalisation=settings.dataset.scale,
    message:
        "Data: fetch {params.source}"
    script:
        "../scripts/fetch_dataset.py"
