rule train_network:
    input:
        dataset=lambda wildcards: plan.dataset_of(wildcards.net, wildcards.variant),
    output:
        checkpoints=directory("results/{run}/networks/{net}/{variant}/checkpoints"),
        history="results/{run}/networks/{net}/{variant}/history.csv",
    log:
        "logs/{run}/train_network/{net}/{variant}.log",
    benchmark:
        "logs/{run}/train_network/{net}/{variant}.benchmark.tsv"
    wildcard_constraints:
        net=one_of(settings.trained),
    priority: 1  # the longest jobs first, so that no core waits for the last of them
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(240),
        gpu=training_gpus,
    params:
        code=code.training(),
        network=lambda wildcards: code.network(wildcards.net),
        training=lambda wildcards: plan.training_settings(
            wildcards.net, wildcards.variant
        ),
        device=settings.device,
    message:
        "Training: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/train_network.py"


rule import_network:
    input:
        dataset=plan.dataset,
    output:
        checkpoints=directory("results/{run}/networks/{net}/{variant}/checkpoints"),
    log:
        "logs/{run}/import_network/{net}/{variant}.log",
    benchmark:
        "logs/{run}/import_network/{net}/{variant}.benchmark.tsv"
    wildcard_constraints:
        net=one_of(set(settings.networks) - set(settings.trained)),
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
    params:
        code=code.weights(),
        network=lambda wildcards: code.network(wildcards.net),
        training=lambda wildcards: plan.training_settings(
            wildcards.net, wildcards.variant
        ),
        weights=lambda wildcards: settings.networks[wildcards.net].weights,
        contents=lambda wildcards: plan.contents(plan.weights(wildcards.net)),
        init=lambda wildcards: settings.networks[wildcards.net].init,
    message:
        "Weights: {wildcards.net}"
    script:
        "../scripts/import_network.py"
