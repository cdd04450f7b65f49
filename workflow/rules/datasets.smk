# On a cluster, only the machine where Snakemake was started may reach what lies outside
localrules:
    fetch_dataset,
    import_network,


rule fetch_dataset:
    input:
        source=folders_of(settings.dataset.path),
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
        unrecorded=["source"],  # the data set's hash covers what was taken from them
        source=settings.dataset.source,
        path=settings.dataset.path,
        image_size=settings.dataset.image_size,
        mirror=settings.dataset.mirror,
        test_only=settings.dataset.test_only,
        normalisation=settings.dataset.scale,
    message:
        "Data: fetch {params.source}"
    script:
        "../scripts/fetch_dataset.py"
