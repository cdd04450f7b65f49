"""Records: what was made from what, followed from a figure down to the data, and noticed when a file is no longer the one."""

import contextlib
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest
from hostile import png_chunk, png_of_zeros, within_bounds, zipped_text
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.numpy import save_file
from trainings import write_training

from diffeo_stability import InputError
from diffeo_stability.__main__ import main, run
from diffeo_stability.data.contents import MEMORY, content_hash
from diffeo_stability.data.store import save_dataset
from diffeo_stability.pipeline import plotting
from diffeo_stability.pipeline.adopt import adopt
from diffeo_stability.pipeline.carried import read_carried
from diffeo_stability.pipeline.interactive import Job
from diffeo_stability.pipeline.provenance import as_tree, trace
from diffeo_stability.pipeline.records import code_state, hash_of, hashes_of, read_record, record_of, write_records

CONFIG = {"run": "mine", "numbers": [1, 2]}


def make(path, content, *inputs, rule="make", **params):
    """A file and its record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    write_records([path], rule=rule, inputs=hashes_of(inputs), params=params, config=CONFIG)
    return path


@pytest.fixture(scope="module")
def made_chain(tmp_path_factory):
    """A folder with a table made from two measurements, both of one data set; and a figure drawn from the table."""
    folder = tmp_path_factory.mktemp("chain")
    with contextlib.chdir(folder):
        results = folder / "results" / "mine"
        data = make(folder / "data" / "pixels", "pixels", rule="fetch")
        measurements = [
            make(results / name / "m.csv", name, data, rule="measure", probe={"seed": 7})
            for name in ("first", "second")
        ]
        table = make(results / "tables" / "stem.csv", "table", *measurements, rule="collect")
        figure, ax = plt.subplots(figsize=(2, 2))
        ax.plot([1, 2])
        job = Job(
            "draw_stem",
            SimpleNamespace(table=str(table), notebook="stem.py", code=[]),
            SimpleNamespace(**{kind: str(folder / "figures" / "mine" / f"stem.{kind}") for kind in ("pdf", "png")}),
            SimpleNamespace(images="mine"),
            SimpleNamespace(run="mine"),
            CONFIG,
        )
        plotting.save_figure(figure, job)
    return folder


@pytest.fixture
def chain(made_chain, tmp_path, monkeypatch):
    """A copy of it, which is the working directory, and where its files are."""
    shutil.copytree(made_chain, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    results, figures = tmp_path / "results" / "mine", tmp_path / "figures" / "mine"
    return SimpleNamespace(
        folder=tmp_path,
        data=tmp_path / "data" / "pixels",
        measurements=[results / name / "m.csv" for name in ("first", "second")],
        table=results / "tables" / "stem.csv",
        pdf=str(figures / "stem.pdf"),
        png=str(figures / "stem.png"),
    )


def test_results_on_another_disk_keep_their_names(tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    (tmp_path / "project" / "results").symlink_to(tmp_path / "scratch")
    table = make(tmp_path / "project" / "results" / "table.csv", "table")
    assert list(hashes_of([table, "results/table.csv"])) == ["results/table.csv"]


def test_weights_brought_from_outside_are_said_to_be_that(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / "elsewhere" / "net.pt"
    weights.parent.mkdir()
    weights.write_text("weights")
    make(tmp_path / "results" / "mine" / "m.csv", "m", weights, rule="measure")
    assert main(["provenance", "results/mine/m.csv"]) == 0
    assert "elsewhere/net.pt  [brought from outside, unchanged]" in capsys.readouterr().out
    weights.write_text("other weights")
    assert main(["provenance", "results/mine/m.csv"]) == 1
    assert "elsewhere/net.pt  [CHANGED since]" in capsys.readouterr().out


def test_images_brought_from_outside_count_by_what_they_hold(mnist5k, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    images = tmp_path / "photos"
    images.mkdir()
    (images / "cat.png").write_bytes(b"a cat")
    data = tmp_path / "data" / "mine" / "images.safetensors"
    save_dataset(mnist5k, data)
    (data.parent / MEMORY).mkdir()  # in which hashes are remembered
    contents = {"photos": content_hash("photos")}
    write_records([data], rule="fetch", inputs={}, contents=contents, params={}, config=CONFIG)
    for change, expected in (
        (lambda: (images / "Thumbs.db").write_bytes(b"of the system"), (0, "brought from outside, unchanged")),
        (lambda: os.utime(images / "cat.png"), (0, "brought from outside, unchanged")),
        (lambda: (images / "cat.png").write_bytes(b"a dog"), (1, "CHANGED since")),
        (lambda: shutil.rmtree(images), (1, "MISSING")),
    ):
        change()
        assert main(["provenance", "data/mine/images.safetensors"]) == expected[0]
        assert f"photos  [{expected[1]}]" in capsys.readouterr().out


def test_a_project_unpacked_inside_another_repository_has_no_commit(tmp_path, monkeypatch):
    def git(*words):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True)

    git("init", "-q")
    (tmp_path / "their.txt").write_text("theirs")
    git("add", "their.txt")
    git("commit", "-qm", "theirs")
    project = tmp_path / "unpacked"
    (project / "workflow").mkdir(parents=True)
    (project / "Snakefile").touch()
    monkeypatch.chdir(project / "workflow")
    state = code_state.__wrapped__
    assert state() == {"commit": "unknown", "dirty": False}
    git("add", "unpacked/Snakefile")
    git("commit", "-qm", "ours")
    assert len(state()["commit"]) == 40


@pytest.mark.parametrize("kind", ["pdf", "png"])
def test_a_figure_leads_down_to_the_data(chain, kind):
    origin = trace(getattr(chain, kind))
    assert origin.matches() and [source.path for source in origin.sources] == ["results/mine/tables/stem.csv"]
    table = origin.sources[0]
    assert table.rule == "collect" and [source.path for source in table.sources] == [
        "results/mine/first/m.csv",
        "results/mine/second/m.csv",
    ]
    first, second = (source.sources[0] for source in table.sources)
    assert (first.path, first.state, second.state) == ("data/pixels", "ok", "as above")
    tree = as_tree(origin)
    for fact in ("collect", "measure", "fetch", "probe seed 7", "python 3.", "torch ", "run mine", "commit "):
        assert fact in tree
    assert tree.count("run mine") == 1  # what stands above is not said again


@pytest.mark.parametrize(("encoding", "branch"), [("ascii", "`- "), ("latin-1", "`- "), ("utf-8", "└─ ")])
def test_a_terminal_gets_letters_that_it_has(chain, monkeypatch, encoding, branch):
    named = make(chain.table.with_name("t\u00e4belle.csv"), "table", chain.data)
    printed = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", printed)
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    monkeypatch.setattr(sys, "argv", ["diffeo-stability", "provenance", str(named)])
    before = signal.getsignal(signal.SIGPIPE)
    try:
        with pytest.raises(SystemExit) as ended:
            run()
    finally:
        signal.signal(signal.SIGPIPE, before)
    text = printed.buffer.getvalue().decode(encoding)
    assert ended.value.code == 0 and f"\n{branch}data/pixels" in text
    assert ("t\\xe4belle.csv" if encoding == "ascii" else "t\u00e4belle.csv") in text


def test_a_copy_of_a_figure_elsewhere_carries_its_record(chain, tmp_path):
    copy = shutil.copy(chain.png, tmp_path / "copy.png")
    assert trace(copy).matches()
    assert main(["provenance", copy.as_posix()]) == 0
    of_png, of_pdf = read_carried(copy), read_carried(chain.pdf)
    assert of_png.intact and of_pdf.intact and of_png.record.picture != of_pdf.record.picture
    assert of_png.record.model_copy(update={"picture": of_pdf.record.picture}) == of_pdf.record
    assert of_png.record.tables == {"results/mine/tables/stem.csv": hash_of(chain.table)}
    assert of_png.record.run == "mine" and of_png.record.stem == "stem"


@pytest.mark.parametrize("part", ["table", "first", "data"])
def test_a_changed_file_is_marked_wherever_it_is_used(chain, part, capsys):
    changed = {"table": chain.table, "first": chain.measurements[0], "data": chain.data}[part]
    changed.write_text("something else")
    assert not trace(chain.png).matches()
    assert main(["provenance", chain.png]) == 1
    printed = capsys.readouterr()
    marked = [line for line in printed.out.splitlines() if "CHANGED" in line]
    assert len(marked) == (2 if part == "data" else 1) and all(changed.name in line for line in marked)
    assert printed.err.count("\n") == 1


def test_a_record_made_anew_with_other_content_is_noticed_by_those_who_used_the_old_one(chain):
    make(chain.measurements[0], "measured again", chain.data, rule="measure")
    table = trace(chain.png).sources[0]
    assert [source.state for source in table.sources] == ["changed", "ok"]


def test_a_missing_file_is_marked(chain, capsys):
    chain.measurements[1].unlink()
    assert main(["provenance", str(chain.table)]) == 1
    assert "results/mine/second/m.csv  [MISSING]" in capsys.readouterr().out


def test_what_matches_ends_with_status_0(chain, capsys):
    assert main(["provenance", str(chain.table)]) == 0
    assert "Every file on disk is the one" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nothing.csv", None, "does not exist"),
        ("own.csv", b"1,2", "nothing is known of how"),
        ("broken.png", b"no image", "is no PNG image"),
        ("foreign.pdf", b"%PDF-1.4 nothing", "carries no record"),
        ("tricky.pdf", b"/Keywords (no end", "carries no record"),
        ("other.pdf", b"/Keywords ([1, 2])", "carries no record"),
    ],
)
def test_files_of_unknown_origin_end_in_one_line(tmp_path, capsys, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["provenance", str(tmp_path / name)]) == 1
    printed = capsys.readouterr()
    assert message in printed.err and printed.err.count("\n") == 1 and not printed.out


def test_folders_are_known_by_their_files_and_not_by_hidden_ones(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "file").write_text("same")
    (tmp_path / "b" / ".timestamp").write_text("now")
    assert hash_of(tmp_path / "a") == hash_of(tmp_path / "b")
    (tmp_path / "b" / "inner" / "file").rename(tmp_path / "b" / "inner" / "other")
    assert hash_of(tmp_path / "a") != hash_of(tmp_path / "b")


def test_records_tell_whether_the_working_tree_has_changes(monkeypatch, tmp_path):
    """New files count, which are all there is to a figure or network of one's own."""
    monkeypatch.chdir(tmp_path)
    state = code_state.__wrapped__
    assert state() == {"commit": "unknown", "dirty": False}
    git = ["git", "-c", "user.name=x", "-c", "user.email=x"]
    (tmp_path / "Snakefile").write_text("as it was")
    for command in (["init", "-q"], ["add", "Snakefile"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    clean = state()
    assert len(clean["commit"]) == 40 and not clean["dirty"]
    (tmp_path / "new").write_text("a new file")
    assert state() == {**clean, "dirty": True}
    (tmp_path / "new").unlink()
    (tmp_path / "Snakefile").write_text("as it is")
    assert state() == {**clean, "dirty": True}


def test_a_lost_record_breaks_the_chain(chain, capsys):
    record_of(chain.measurements[0]).unlink()
    assert main(["provenance", chain.png]) == 1
    assert "results/mine/first/m.csv  [NO RECORD of how it was made]" in capsys.readouterr().out


def test_what_a_copied_run_lacks_is_named_with_remedies_that_work(chain):
    run = SimpleNamespace(run="mine", data_dir="data", datasets=("",))
    first, table = (Path(path).relative_to(chain.folder) for path in (chain.measurements[0], chain.table))
    assert adopt(run) == 4
    make(chain.measurements[0], "another", chain.data, rule="measure")
    with pytest.raises(InputError, match=rf"^{table} was made from another {first}: delete {table}, run again$"):
        adopt(run)
    make(chain.table, "table", *chain.measurements, rule="collect")
    chain.measurements[0].unlink()
    with pytest.raises(
        InputError, match=rf"^{first} is missing: copy it, or delete its record in .*first/.provenance$"
    ):
        adopt(run)
    record_of(first).unlink()
    assert adopt(run) == 3


def test_what_no_job_makes_needs_no_record(chain, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "claims.yaml").write_text("claims")
    table = make(tmp_path / "results" / "mine" / "claims.csv", "x", tmp_path / "config" / "claims.yaml", chain.table)
    origin = trace(table)
    assert origin.matches() and [source.state for source in origin.sources] == ["given", "ok"]
    (tmp_path / "config" / "claims.yaml").write_text("others")
    assert [source.state for source in trace(table).sources] == ["changed", "ok"]


def test_files_of_a_training_lead_to_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_training(tmp_path / "seed0" / "checkpoints", lambda network: None, name="lenet")
    for file in folder.glob("*.json"):
        metadata = json.loads(file.read_text())
        file.write_text(json.dumps({**metadata, "dataset": {"sha256": "0" * 64}}))
    write_records([folder], rule="train", inputs={}, params={}, config=CONFIG)
    for name, rule in (("epoch0001.safetensors", "a checkpoint of"), ("epoch0001.json", "part of")):
        origin = trace(folder / name)
        assert origin.matches() and origin.rule == rule and origin.sources[0].rule == "train"
    (folder / "epoch0001.safetensors").write_bytes(b"other weights")
    assert trace(folder / "epoch0001.safetensors").state == "changed"


def test_weights_from_elsewhere_are_not_said_to_be_trained_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_training(tmp_path / "seed0" / "checkpoints", lambda network: None, name="lenet")
    for file in folder.glob("*.json"):
        metadata = {**json.loads(file.read_text()), "dataset": {"sha256": "0" * 64}, "weights": "mine.pt"}
        file.write_text(json.dumps(metadata))
        if metadata["epoch"]:
            file.with_name("epoch10000.json").write_text(json.dumps({**metadata, "net": "last"}))
    write_records([folder], rule="import_network", inputs={}, params={}, config=CONFIG)
    (facts,) = (facts for facts in trace(folder).facts if facts.startswith("network"))
    assert facts.startswith("network last (lenet), weights mine.pt, trained elsewhere, data sha256")


def carried_by(chain, **changes):
    """The record that a figure carries, changed."""
    return json.loads(read_carried(chain.png).record.model_dump_json()) | changes


def pdf_with(record):
    """A PDF that says no more than where it comes from."""
    text = json.dumps(record).replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return b"%PDF-1.4\n<< /Keywords (" + text.encode() + b") >>"


def test_text_in_a_pdf_may_hold_brackets(chain, tmp_path):
    record = carried_by(chain, tables={"a (b) \\ c": "0" * 64})
    (tmp_path / "x.pdf").write_bytes(pdf_with(record))
    assert read_carried(tmp_path / "x.pdf").record.tables == record["tables"]


# Figures that came by mail


def painted_over_png(path):
    with Image.open(path) as image:
        info, dpi, texts = PngInfo(), image.info["dpi"], image.text
        for key, text in texts.items():
            info.add_text(key, text)
        image.putpixel((3, 3), (255, 0, 0, 255))
        image.save(path, pnginfo=info, dpi=dpi)


def recoloured_png(path):
    """The same pixels, shown in other colours."""
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[:33] + png_chunk(b"gAMA", struct.pack(">I", 500_000)) + content[33:])


def recoloured_as_video(path):
    """The same pixels, in the colours of another standard, which browsers know and Pillow does not."""
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[:33] + png_chunk(b"cICP", bytes([9, 16, 0, 1])) + content[33:])


def painted_over_pdf(path):
    """As editors of PDFs do: what is new stands at the end."""
    with Path(path).open("ab") as file:
        file.write(b"\n4 0 obj\n<< >>\nendobj\n")


@pytest.mark.parametrize(
    "paint", [painted_over_png, recoloured_png, recoloured_as_video, painted_over_pdf], ids=lambda paint: paint.__name__
)
def test_a_picture_that_was_painted_over_is_marked(chain, tmp_path, capsys, paint):
    copy = Path(shutil.copy(chain.pdf if paint is painted_over_pdf else chain.png, tmp_path / "by-mail"))
    copy = copy.rename(copy.with_suffix(Path(chain.pdf if paint is painted_over_pdf else chain.png).suffix))
    assert main(["provenance", str(copy)]) == 0
    paint(copy)
    assert main(["provenance", str(copy)]) == 1
    printed = capsys.readouterr()
    assert f"{copy}  [CHANGED since]" in printed.out and "not those that this was made from" in printed.err


def test_a_picture_that_was_only_packed_anew_is_the_one(chain, tmp_path):
    with Image.open(chain.png) as image:
        info = PngInfo()
        info.add_text("Description", image.text["Description"], zip=True)
        image.save(tmp_path / "packed.png", pnginfo=info, optimize=True)
    assert trace(tmp_path / "packed.png").matches()


def test_what_cannot_be_checked_is_said(chain, tmp_path, capsys):
    """Figures of older versions carry no hash of their picture."""
    record = carried_by(chain)
    del record["picture"]
    (tmp_path / "old.pdf").write_bytes(pdf_with(record))
    assert main(["provenance", str(tmp_path / "old.pdf")]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("Every other file on disk") and "Not checked is what it shows" in said
    assert main(["provenance", chain.png]) == 0
    assert "Not checked" not in capsys.readouterr().out


NAMED = {
    "/dev/zero": "NOT LOOKED AT",
    "/etc/passwd": "NOT LOOKED AT",
    "../../etc/passwd": "NOT LOOKED AT",
    "results/../../x": "NOT LOOKED AT",
    "results/" + "x" * 300: "MISSING",
    "results/endless": "MISSING",
    "results/pipe": "MISSING",
    ".": "MISSING",
    "given.txt": "NO RECORD",
}


def test_a_figure_names_files_of_this_project_alone(chain, capsys):
    (chain.folder / "given.txt").write_text("by anyone")
    os.mkfifo(chain.folder / "results" / "pipe")
    (chain.folder / "results" / "endless").symlink_to("/dev/zero")
    tables = dict.fromkeys(NAMED, hash_of(chain.folder / "given.txt"))
    (chain.folder / "mail.pdf").write_bytes(pdf_with(carried_by(chain, tables=tables)))
    with within_bounds():
        assert main(["provenance", "mail.pdf"]) == 1
    printed = capsys.readouterr().out
    for name, mark in NAMED.items():
        assert f"{name}  [{mark}" in printed


def test_a_table_is_looked_at_once_however_it_is_spelled(chain):
    spelled = ("results/mine/tables/stem.csv", "results//mine/./tables/stem.csv", "./results/mine/tables/stem.csv")
    (chain.folder / "mail.pdf").write_bytes(
        pdf_with(carried_by(chain, tables=dict.fromkeys(spelled, hash_of(chain.table))))
    )
    sources = trace("mail.pdf").sources
    assert [(source.path, source.state) for source in sources] == [
        (spelled[0], state) for state in ("ok", *2 * ["as above"])
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"tables": {}},
        {"tables": []},
        {"tables": {"results/x.csv": 1}},
        {"tables": {"results/\x1b[2J.csv": "0" * 64}},
        {"tables": {"results/\0": "0" * 64}},
        {"commit": 7},
        {"commit": "\x1b[2J"},
        {"run": "../x"},
        {"picture": "x"},
    ],
)
def test_a_record_of_another_form_is_none(chain, tmp_path, capsys, changes):
    (tmp_path / "mail.pdf").write_bytes(pdf_with(carried_by(chain, **changes)))
    assert main(["provenance", str(tmp_path / "mail.pdf")]) == 1
    printed = capsys.readouterr()
    assert "carries no record" in printed.err and printed.err.count("\n") == 1 and printed.err[:-1].isprintable()


def deeply_nested(chain):
    return json.dumps(carried_by(chain)).replace("{", '{"x": ' + "[" * 10**5 + "]" * 10**5 + ", ", 1).encode()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", lambda _: png_of_zeros(4, 4, zipped_text(b"zTXt", 2**26)), "is no PNG image that can be read"),
        ("a.png", lambda _: png_of_zeros(4, 4, zipped_text(b"iTXt", 2**26)), "is no PNG image that can be read"),
        ("a.png", lambda _: png_of_zeros(40_000, 40_000), "is no PNG image that can be read"),
        ("a.png", lambda chain: Path(chain.png).read_bytes()[:-500], "is no PNG image that can be read"),
        ("a.png", lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n", "is no PNG image"),
        ("a.pdf", lambda chain: b"/Keywords (" + deeply_nested(chain) + b")", "carries no record"),
        ("a.pdf", lambda _: b"/Keywords (" + b"(" * 2**21, "carries no record"),
        ("a.png", "pipe", "is no regular file"),
        ("a.pdf", "/dev/zero", "is no regular file"),
        ("a.csv", "pipe", "nothing is known"),
        ("x" * 300 + ".png", None, "does not exist"),
        ("a\x1b[2J.png", lambda _: b"", "is no PNG image"),
    ],
)
def test_hostile_figures_end_in_one_line(chain, tmp_path, capsys, name, content, message):
    path = tmp_path / name
    if content == "pipe":
        os.mkfifo(path)
    elif isinstance(content, str):
        path.symlink_to(content)
    elif content:
        path.write_bytes(content(chain))
    with within_bounds():
        assert main(["provenance", str(path)]) == 1
    printed = capsys.readouterr()
    assert message in printed.err and printed.err.count("\n") == 1 and printed.err[:-1].isprintable()


def test_a_table_of_claims_that_never_ends_is_refused(tmp_path, capsys):
    os.mkfifo(tmp_path / "claims.csv")
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(2**40)
    for name, message in {"claims.csv": "is no regular file", "large.csv": "is larger than 256 MiB"}.items():
        with within_bounds():
            assert main(["claims", str(tmp_path / name)]) == 1
        assert message in capsys.readouterr().err


def test_a_damaged_record_is_named(chain, capsys):
    for text in ("[]", "{}", '{"sha256": 1}', "[" * 10**5):
        record_of(chain.table).write_text(text)
        assert main(["provenance", chain.png]) == 1
        error = capsys.readouterr().err
        assert "stem.csv.json" in error and "run again" in error and error.count("\n") == 1


@pytest.mark.parametrize("entry", ["sha256", "rule", "run", "config", "commit", "dirty", "params", "inputs"])
def test_a_record_that_lacks_an_entry_is_none_to_all_that_read_it(chain, entry):
    place = record_of(chain.table)
    record = json.loads(place.read_text())
    place.write_text(json.dumps({**record, entry: None}))
    for read in (trace, read_record):
        with pytest.raises(
            InputError, match=rf"stem.csv.json is no record of how .*stem.csv was made \({entry}\): delete"
        ):
            read(chain.table)


def test_params_of_any_form_are_followed(chain):
    make(chain.table, "table", *chain.measurements, rule="collect", probe=[7])
    assert trace(chain.table).matches()


def test_a_data_set_that_only_calls_itself_one_is_not_waited_for(chain, tmp_path, monkeypatch):
    data = tmp_path / "data" / "mine" / "images.safetensors"
    data.parent.mkdir(parents=True)
    save_file({}, data, {"json": "[" * 10**5})
    write_records([data], rule="fetch", inputs={}, params={}, config=CONFIG)
    assert trace(data).matches()
    data.unlink()
    os.mkfifo(data)
    with within_bounds():
        assert trace(data).state == "changed"


def test_names_are_printed_without_escapes(chain, tmp_path, capsys):
    odd = make(tmp_path / "results" / "mine" / "a\x1b[31m\nb.csv", "odd", chain.data)
    assert main(["provenance", str(odd)]) == 0
    printed = capsys.readouterr().out
    assert "a\\x1b[31m\\nb.csv" in printed and all(map(str.isprintable, printed.splitlines()))
