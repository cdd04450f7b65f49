# Every figure is measured, its tables are collected and it is drawn in the same way. What tells figures apart stands in their
# rooms, src/diffeo_stability/figures/<stem>. A figure that needs rules of its own has them in <stem>.smk, and is left out here.


def in_report(path, stem, kind):
    """A file that the report shows."""
    return report(
        path,
        caption=f"../../results/{settings.run}/captions/{stem}.rst",
        category=FIGURES[stem].source,
        labels={"figure": stem, "kind": kind},
    )


def made_by(stem):
    """What a figure is measured into."""
    files = plan.made_by(stem)
    if FIGURES[stem].measured == "run":
        files["table"] = in_report(files["table"], stem, "table")
    return files


with_own_rules = {
    stem
    for stem in plan.stems
    if Path(workflow.basedir, f"workflow/rules/{stem}.smk").exists()
}

for stem in with_own_rules:

    include: f"{stem}.smk"


for stem in (stem for stem in plan.stems if stem not in with_own_rules):
    figure = FIGURES[stem]
    every_training = figure.measured == "training"
    job = f"measure_{stem}/{{net}}/{{variant}}" if every_training else f"measure_{stem}"
    from_tables_alone = bool(figure.measured and not figure.reads)

    if figure.measured:

        rule:
            name:
                f"measure_{stem}"
            input:
                **plan.read_by(stem),
            output:
                **made_by(stem),
            log:
                f"logs/{{run}}/{job}.log",
            benchmark:
                f"logs/{{run}}/{job}.benchmark.tsv"
            group:
                "figures" if from_tables_alone else None
            threads: 1
            resources:
                mem_mb=growing(1000 if from_tables_alone else 3000),
                runtime=growing(60 if every_training else 10),
                gpu=training_gpus if figure.on_gpu else 0,
            params:
                **plan.settings_of(stem),
                stem=stem,
                code=code.measurement(stem),
                device=settings.device if figure.on_gpu else "cpu",
            message:
                f"Measure {stem}"
                + (": {wildcards.net}, {wildcards.variant}" if every_training else "")
            script:
                "../scripts/measure.py"

    if figure.measured != "run":

        rule:
            name:
                f"collect_{stem}"
            input:
                **plan.collected_from(stem),
            output:
                **(
                    {"summary": f"results/{{run}}/tables/{stem}_summary.csv"}
                    if figure.has_summary
                    else {}
                ),
                table=in_report(f"results/{{run}}/tables/{stem}.csv", stem, "table"),
            log:
                f"logs/{{run}}/collect_{stem}.log",
            benchmark:
                f"logs/{{run}}/collect_{stem}.benchmark.tsv"
            group:
                "figures"
            threads: 1
            resources:
                mem_mb=growing(1000),
                runtime=growing(10),
            params:
                stem=stem,
                kinds=as_param(plan.kinds_in(stem)) if figure.by_kind else {},
                code=code.collection(stem),
            message:
                f"Table: {stem}"
            script:
                "../scripts/collect_tables.py"

    rule:
        name:
            f"draw_{stem}"
        input:
            **plan.drawn_from(stem),
            notebook=ancient(f"workflow/notebooks/{stem}.py"),
        output:
            pdf=f"figures/{{run}}/{stem}.pdf",
            png=in_report(f"figures/{{run}}/{stem}.png", stem, "figure"),
            html=f"results/{{run}}/notebooks/{stem}.html",
        log:
            f"logs/{{run}}/draw_{stem}.log",
            notebook=f"logs/{{run}}/draw_{stem}.ipynb",
        benchmark:
            f"logs/{{run}}/draw_{stem}.benchmark.tsv"
        group:
            "figures"
        threads: 1
        resources:
            mem_mb=growing(2000),
            runtime=growing(10),
        params:
            images=as_param(plan.images_in(stem)),
            looks=as_param(plan.looks_in(stem)),
            settings=plan.drawn_with(stem),
            code=code.drawing(stem),
            notebook=code.contents(f"workflow/notebooks/{stem}.py"),
        message:
            f"Figure: {stem}"
        script:
            "../scripts/run_notebook.py"
