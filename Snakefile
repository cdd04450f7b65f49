from snakemake.utils import min_version

min_version("9.27")


# A run's file replaces the default one: Snakemake would merge the two key by key.
if not workflow.overwrite_configfiles:

    configfile: "config/mnist5k.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/deformations.smk"
include: "workflow/rules/stability.smk"
include: "workflow/rules/stability_vs_error.smk"
include: "workflow/rules/stability_vs_train_size.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        plan.figures(),


rule notebooks:
    input:
        plan.notebooks(),
