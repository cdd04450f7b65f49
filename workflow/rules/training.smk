rule train_network:
    input:
        code=used_by("workflow/scripts/train_network.py"),
        dataset=plan.dataset,
    output:
        checkpoints=directory("results/{run}/networks/{net}/{variant}/checkpoints"),
        history="results/{run}/networks/{net}/{variant}/history.csv",
    log:
        "logs/{run}/train_network/{net}/{variant}.log",
    benchmark:
        "logs/{run}/train_network/{net}/{variant}.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
        gpu=training_gpus,
    params:
        training=lambda wildcards: plan.training_settings(
            wildcards.net, wildcards.variant
        ),
        device=settings.device,
    message:
        "Training: {wildcards.net}, {wildcards.variant}"
    script:
        "../scripts/train_network.py"
