from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/place.smk"


# A run's file replaces the default one: Snakemake would merge the two key by key.
if not workflow.overwrite_configfiles:

    configfile: "config/mnist5k.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/report.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        plan.figures(),
        plan.every_table(),
        plan.claims(),
        plan.captions(),


rule notebooks:
    input:
        plan.notebooks(),


rule report:
    input:
        f"results/{settings.run}/report.html",


rule crate:
    input:
        f"results/{settings.run}/rocrate.zip",


# Names that the two had before
rule page:
    input:
        rules.report.input,


rule rocrate:
    input:
        rules.crate.input,


onsuccess:
    show_verdicts()


onerror:
    show_errors()
