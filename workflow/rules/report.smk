rule write_report:
    input:
        code=used_by("workflow/scripts/write_report.py"),
        claims=plan.claims(),
        tables=plan.every_table(),
        figures=plan.figures(),
        template="workflow/report/page.html",
        captions=[f"workflow/report/{stem}.rst" for stem in ("workflow", *plan.stems)],
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
    message:
        "Report: {output.page}"
    script:
        "../scripts/write_report.py"


rule pack_crate:
    input:
        code=used_by("workflow/scripts/pack_crate.py"),
        claims=plan.claims(),
        tables=plan.every_table(),
        figures=plan.figures(),
        page="results/{run}/report.html",
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
    message:
        "RO-Crate: {output.crate}"
    script:
        "../scripts/pack_crate.py"
