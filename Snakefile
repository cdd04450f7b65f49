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
        made_by_rules(plan.made()),
    message:
        f"All files of run {settings.run}"


rule notebooks:
    input:
        plan.notebooks(),


rule report:
    input:
        plan.page(),


rule crate:
    input:
        plan.crate(),


# Names that the two had before
rule page:
    input:
        rules.report.input,


rule rocrate:
    input:
        rules.crate.input,


if workflow.is_main_process:
    check_records()


onstart:
    if workflow.is_main_process:
        check_jobs()


onsuccess:
    show_verdicts()


onerror:
    show_errors()
