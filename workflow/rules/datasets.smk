# On a cluster, only the machine where Snakemake was started may reach what lies outside
localrules:
    fetch_dataset,
    import_network,


rule fetch_dataset:
    output:
        dataset=plan.dataset_file("{dataset}"),
    log:
        "logs/datasets/{dataset}.log",
    benchmark:
        "logs/datasets/{dataset}.benchmark.tsv"
    wildcard_constraints:
        dataset=one_of(settings.datasets),
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
    params:
        code=lambda wildcards: code.dataset(wildcards.dataset),
        # The images' content and not their times, by which Snakemake goes for inputs
        contents=lambda wildcards: plan.contents(plan.images(wildcards.dataset)),
        images=lambda wildcards: plan.dataset_settings(wildcards.dataset),
    message:
        "Data: fetch {wildcards.dataset}"
    script:
        "../scripts/fetch_dataset.py"
