templates = [f"workflow/report/{stem}.rst" for stem in plan.stems]
workflow_files = [
    "Snakefile",
    "config/claims.yaml",
    *(f"workflow/notebooks/{stem}.py" for stem in plan.stems),
    *sorted(
        path.relative_to(workflow.basedir).as_posix()
        for kind in ("rules/*.smk", "scripts/*.py", "report/*.rst", "report/*.html")
        for path in Path(workflow.basedir, "workflow").glob(kind)
    ),
]


# What stands in captions and in the packed run: not on which machine, and where on it
deciding = settings.model_dump(exclude={"device", "data_dir", "drawing_limit"})


rule write_captions:
    input:
        tables=plan.every_table(),
        templates=ancient(templates),
    output:
        captions=[f"results/{{run}}/captions/{stem}.rst" for stem in plan.stems],
    log:
        "logs/{run}/write_captions.log",
    benchmark:
        "logs/{run}/write_captions.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        stems=plan.stems,
        config=deciding,
        labels=plan.labels,
        kinds=plan.kinds,
        code=code.captions(),
        texts=code.contents(*templates),
    message:
        "Captions"
    script:
        "../scripts/write_captions.py"


rule write_report:
    input:
        claims=plan.claims(),
        tables=plan.every_table(),
        figures=plan.figures(),
        captions=plan.captions(),
        histories=plan.histories(),
        introduction=ancient("workflow/report/workflow.rst"),
        template=ancient("workflow/report/page.html"),
    output:
        page="results/{run}/report.html",
    log:
        "logs/{run}/write_report.log",
    benchmark:
        "logs/{run}/write_report.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        stems=plan.stems,
        trainings=plan.described_trainings(),
        code=code.report(),
        texts=code.contents("workflow/report/page.html", "workflow/report/workflow.rst"),
    message:
        "Report: {output.page}"
    script:
        "../scripts/write_report.py"


rule pack_crate:
    input:
        claims=plan.claims(),
        tables=plan.every_table(),
        figures=plan.figures(),
        captions=plan.captions(),
        page="results/{run}/report.html",
        workflow=ancient(workflow_files),
    output:
        crate="results/{run}/rocrate.zip",
    log:
        "logs/{run}/pack_crate.log",
    benchmark:
        "logs/{run}/pack_crate.benchmark.tsv"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        stems=plan.stems,
        config=deciding,
        code=code.crate(),
        texts=code.contents(*workflow_files),
    message:
        "RO-Crate: {output.crate}"
    script:
        "../scripts/pack_crate.py"
