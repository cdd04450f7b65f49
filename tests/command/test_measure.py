"""``diffeo-stability measure``: what it prints and writes, and the one line and the exit status of what goes wrong."""

import contextlib
import csv
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from hostile import within_bounds
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from diffeo_stability import load_images, relative_stability, stability_by_operation
from diffeo_stability.__main__ import main
from diffeo_stability.command.results import draw
from diffeo_stability.core.results import StabilityByOperation

NETWORKS = """
import torch
from torch import nn


def small(in_channels, image_size, classes):
    torch.manual_seed(7)
    return nn.Sequential(nn.Conv2d(in_channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(classes))


def drawing(in_channels, image_size, classes):
    return nn.Sequential(nn.Flatten(), Drawing())


class Drawing(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 0.5)


def leaving(in_channels, image_size, classes):
    raise SystemExit(0)


def failing(in_channels, image_size, classes):
    return {}["depth"]


class Interrupting(nn.Module):
    def forward(self, x):
        raise KeyboardInterrupt


def interrupting(in_channels, image_size, classes):
    return Interrupting()


def precise(in_channels, image_size, classes):
    return small(in_channels, image_size, classes).double()


class Two(nn.Flatten):
    def forward(self, x):
        return super().forward(x), x


class Alone(nn.Flatten):
    def forward(self, x):
        return super().forward(x) if len(x) == 1 else {}["batch"]


def two(in_channels, image_size, classes):
    return Two()


def alone(in_channels, image_size, classes):
    return Alone()


def huge(in_channels, image_size, classes):
    return nn.Linear(2**15, 2**15)


class Wide(nn.Module):
    # Takes 96 MiB for every image

    def forward(self, x):
        return x.flatten(1)[:, :1].repeat(1, 3 * 2**23)


def wide(in_channels, image_size, classes):
    return Wide()


class Wider(Wide):
    def forward(self, x):
        return super().forward(x).repeat(1, 2**10)


def wider(in_channels, image_size, classes):
    return Wider()
"""
ZERO = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.zero, self.readout = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Linear(1200, 5)
        nn.init.zeros_(self.zero.weight)

    def forward(self, x):
        return self.readout((x + self.zero(self.conv(x))).flatten(1))


def net(in_channels, image_size, classes):
    return Net()
"""
SMALL = ("my_nets:small", "photos", "--size", "20", "--mean", "0.5", "--std", "0.25", "--classes", "5")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working directory with photos and a module of networks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_nets", raising=False)
    (tmp_path / "my_nets.py").write_text(NETWORKS)
    for name, channels in (("photos", 3), ("grey", 1)):
        (tmp_path / name).mkdir()
        for number in range(8):
            pixels = np.random.default_rng(number).integers(256, size=(6, 8, channels), dtype=np.uint8).squeeze()
            Image.fromarray(pixels).resize((40, 30)).save(tmp_path / name / f"{number}.png")
    return tmp_path


def small():
    import my_nets

    net = my_nets.small(3, 20, 5).eval()
    net(torch.zeros(1, 3, 20, 20))
    return net


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_it_prints_and_writes_what_the_functions_return(folder, capsys):
    assert main(["measure", *SMALL, "--csv", "out/r.csv", "--seed", "2", "--displacement", "0.5"]) == 0
    images = load_images("photos", 20, mean=0.5, std=0.25)
    expected = relative_stability(small(), images, seed=2, displacement=0.5)
    heading, _, line = capsys.readouterr().out.splitlines()
    assert heading.startswith("my_nets:small (its own weights) on 8 images of 20 x 20 pixels, displacement 0.5;")
    assert line.split() == ["output", *f"{expected.relative} {expected.deformation} {expected.noise}".split()]
    (row,) = rows_of(folder / "out" / "r.csv")
    assert (row["network"], row["operation"], row["seed"], row["batch_norm"]) == (
        "my_nets:small",
        "output",
        "2",
        "running",
    )
    assert {name: float(row[name]) for name in expected.to_dict()} == pytest.approx(expected.to_dict(), rel=1e-3)


def test_networks_get_images_of_the_type_of_their_weights(folder):
    (folder / "my_nets.py").write_text(NETWORKS.replace("nn.LazyLinear(classes)", "nn.Linear(1296, classes)"))
    assert main(["measure", "my_nets:precise", *SMALL[1:], "--csv", "r.csv"]) == 0
    expected = relative_stability(small().double(), load_images("photos", 20, mean=0.5, std=0.25).double(), seed=0)
    assert float(rows_of(folder / "r.csv")[0]["R"]) == pytest.approx(expected.relative.value, rel=1e-4)


def test_by_operation_it_writes_a_row_and_draws_a_point_for_each(folder, capsys):
    files = ("--csv", "ops.csv", "--plot", "ops.pdf")
    assert main(["measure", *SMALL, "--untrained", "--by-operation", *files]) == 0
    images = load_images("photos", 20, mean=0.5, std=0.25)
    expected = stability_by_operation(small(), images, batch_norm="batch", seed=0)
    rows = rows_of(folder / "ops.csv")
    assert [row["operation"] for row in rows] == list(expected) == ["0", "1", "2", "4"]
    assert {row["batch_norm"] for row in rows} == {"batch"} and {row["weights"] for row in rows} == {"untrained"}
    assert len(capsys.readouterr().out.splitlines()) == 2 + len(rows)
    assert (folder / "ops.pdf").read_bytes().startswith(b"%PDF")
    assert main(["measure", *SMALL, "--plot", "one.png"]) == 0
    assert (folder / "one.png").read_bytes().startswith(b"\x89PNG")


def test_neither_settings_of_the_user_nor_names_change_a_plot(tmp_path):
    """LaTeX need not be installed, and a name that matplotlib took for mathematics would end the plot or be another one."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    measured = dict(stability_by_operation(network, torch.rand(9, 1, 8, 8), seed=0))
    plots = tmp_path / "one.png", tmp_path / "other.png"
    for plot, settings in zip(plots, ({}, {"text.usetex": True, "savefig.transparent": True}), strict=True):
        with matplotlib.rc_context(settings):
            draw(StabilityByOperation({r"$\nonsense$": measured["1"]}), plot, "$")
    assert plots[0].read_bytes() == plots[1].read_bytes()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_weights_come_from_a_file(folder, suffix, capsys):
    net = small()
    with torch.no_grad():
        net[0].weight.mul_(torch.linspace(0.1, 2, 4)[:, None, None, None])
    state = {f"module.{name}": tensor for name, tensor in net.state_dict().items()}
    save_file(state, folder / "net.safetensors") if suffix == ".safetensors" else torch.save(state, folder / "net.pt")
    assert main(["measure", *SMALL, "--weights", f"net{suffix}", "--csv", "r.csv"]) == 0
    expected = relative_stability(net, load_images("photos", 20, mean=0.5, std=0.25), seed=0)
    assert float(rows_of(folder / "r.csv")[0]["R"]) == pytest.approx(expected.relative.value, rel=1e-3)
    assert f"(net{suffix})" in capsys.readouterr().out


def test_grey_images_become_what_a_network_of_colours_expects(folder):
    arguments = [
        "my_nets:small",
        "grey",
        "--size",
        "20",
        "--mean",
        "0.5",
        "0.4",
        "0.3",
        "--std",
        "0.25",
        "--classes",
        "5",
    ]
    assert main(["measure", *arguments, "--csv", "r.csv"]) == 0
    mean = torch.tensor([0.5, 0.4, 0.3])[:, None, None]
    images = (load_images("grey", 20).expand(-1, 3, -1, -1) - mean) / 0.25
    expected = relative_stability(small(), images, seed=0)
    assert float(rows_of(folder / "r.csv")[0]["R"]) == pytest.approx(expected.relative.value, rel=1e-3)


def test_untrained_networks_of_a_library_say_what_images_they_expect(capsys):
    pytest.importorskip("timm")
    assert main(["measure", "timm:test_resnet", "photos", "--untrained", "--batch-size", "12"]) == 0
    assert "on 8 images of 160 x 160 pixels" in capsys.readouterr().out


def test_operations_that_tell_no_images_apart_are_named_and_left_out(folder, caplog):
    """Residual branches of untrained networks end in a batch-norm that multiplies by zero."""
    (folder / "zero_nets.py").write_text(ZERO)
    assert main(["measure", "zero_nets:net", *SMALL[1:], "--untrained", "--by-operation", "--csv", "r.csv"]) == 0
    assert [row["operation"] for row in rows_of(folder / "r.csv")] == ["conv", "readout"]
    assert "left out, as they give the same output for every image: zero" in caplog.text


def test_weights_of_timm_are_taken_where_they_are_kept(folder, monkeypatch, capsys):
    timm = pytest.importorskip("timm")
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    assert main(["measure", "timm:test_resnet.r160_in1k", "photos"]) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("error: the weights of timm:test_resnet.r160_in1k cannot be had from timm (")
    assert error.endswith("give a file of them, or measure it untrained")
    kept = folder / "hub" / "models--timm--test_resnet.r160_in1k"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("abc")
    (kept / "snapshots" / "abc").mkdir(parents=True)
    torch.manual_seed(1)
    save_file(timm.create_model("test_resnet").state_dict(), kept / "snapshots" / "abc" / "model.safetensors")
    assert main(["measure", "timm:test_resnet.r160_in1k", "photos"]) == 0
    assert "(its own weights) on 8 images of 160 x 160 pixels" in capsys.readouterr().out


def test_weights_of_torchvision_are_taken_where_they_are_kept(folder, monkeypatch, capsys):
    models = pytest.importorskip("torchvision.models")
    monkeypatch.setenv("TORCH_HOME", str(folder))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nothing listens
    name = "torchvision:squeezenet1_1"
    assert main(["measure", name, "photos"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: the weights of {name} cannot be had from torchvision (")
    file = models.SqueezeNet1_1_Weights.DEFAULT.url.rpartition("/")[2]
    torch.save(models.squeezenet1_1().state_dict(), folder / "hub" / "checkpoints" / file)
    assert main(["measure", name, "photos"]) == 0
    assert "on 8 images of 224 x 224 pixels" in capsys.readouterr().out


WRONG = [
    (["my_nets:small", "nowhere", *SMALL[2:]], "nowhere does not exist"),
    (["my_nets:large", *SMALL[1:]], "my_nets has no large"),
    (["no_nets:large", *SMALL[1:]], "No module named 'no_nets'"),
    (["vgg7", *SMALL[1:]], "network 'vgg7' is not known"),
    (["vgg11", *SMALL[1:]], "network vgg11 comes without weights: add --weights FILE, or --untrained"),
    (["timm:no_such_net", "photos"], "is not known to timm"),
    (SMALL[:2], "what images my_nets:small expects is not known: add --size, --mean, --std"),
    (SMALL[:6], "add --std"),
    (SMALL[:8], "how many outputs network my_nets:small has is not known: add --classes"),
    ([*SMALL[:5], "0.5", "0.5", *SMALL[6:]], "--mean and --std must be one finite number or 3"),
    ([*SMALL, "--std", "0"], "--std positive"),
    ([*SMALL, "--size", "2"], "does not take images of 2 x 2 pixels and 3 channels ("),
    ([*SMALL, "--weights", "none.pt"], "weights none.pt are not there: correct the path"),
    ([*SMALL, "--weights", "other.pt"], "say it by --classes"),
    ([*SMALL, "--displacement", "0"], "displacement is 0"),
    ([*SMALL, "--cutoff", "1"], "cutoff is 1"),
    ([*SMALL, "--batch-size", "0"], "batch_size is 0"),
    ([*SMALL, "--device", "tpu9"], "device is 'tpu9'"),
    ([*SMALL, "--device", "mps"], "device is 'mps': it must be cpu, cuda or cuda:<index>"),
    ([*SMALL, "--size", "0"], "--size is 0: it must be a whole number of at least 1"),
    ([*SMALL, "--classes", "0"], "--classes is 0: it must be a whole number of at least 1"),
    (
        ["timm:test_vit", "photos", "--classes", "7"],
        "--classes is 7, but the weights of timm:test_vit have 1000 outputs",
    ),
    (["timm:test_vit", "photos", "--untrained", "--size", "0"], "--size is 0"),
    (
        ["my_nets:failing", *SMALL[1:]],
        "my_nets:failing cannot be built (KeyError, my_nets.py:",
    ),
    (
        ["my_nets:two", *SMALL[1:]],
        "network my_nets:two: the model returned tuple with 0 (2, 1200), 1 (2, 3, 20, 20): which",
    ),
    (["my_nets:alone", *SMALL[1:]], "does not take images of 20 x 20 pixels and 3 channels (KeyError, my_nets.py:"),
    (["my_nets.py:small", *SMALL[1:]], "leave out .py, as in my_nets:small"),
    ([".my_nets:small", *SMALL[1:]], "allowed is <package.module>:<function>"),
    ([*SMALL, "--csv", "my_nets.py/x.csv"], "my_nets.py/x.csv: Not a directory: move away the file"),
    ([*SMALL, "--csv", "x" * 300], "File name too long: shorten it"),
    ([*SMALL, "--csv", "a/../r.png", "--plot", "r.png"], "--csv and --plot are one file, r.png"),
    ([*SMALL, "--device", "cuda:99"], "device is cuda:99, but torch finds"),
    ([*SMALL, "--plot", "r.gif"], "must end in .png, .pdf, .svg"),
    ([*SMALL, "--csv", "photos"], "photos is a folder"),
    ([*SMALL, "--csv", "/dev/null"], "/dev/null is a pipe, socket or device: name a file"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_what_goes_wrong_is_one_line_and_status_1(folder, arguments, message, capsys):
    if "timm" in arguments[0]:
        pytest.importorskip("timm")
    torch.save(nn.Linear(3, 2).state_dict(), folder / "other.pt")
    before = {*folder.rglob("*")}
    files = [] if "--csv" in arguments else ["--csv", "r.csv"]
    assert main(["measure", *arguments, *files]) == 1
    written = capsys.readouterr()
    (line,) = written.err.splitlines()
    assert line.startswith("error: ") and message in line and written.out == ""
    assert {path for path in folder.rglob("*") if "__pycache__" not in str(path)} == before


def test_a_network_that_draws_random_numbers_gives_the_same_table_every_time(folder, caplog):
    for name in ("a.csv", "b.csv"):
        assert main(["measure", "my_nets:drawing", *SMALL[1:], "--csv", name]) == 0
    assert (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()
    assert "it draws random numbers in evaluation" in caplog.text


@pytest.mark.fault("one line")
def test_a_network_that_ends_the_process_is_said_to_do_so(capsys):
    assert main(["measure", "my_nets:leaving", *SMALL[1:]]) == 1
    written = capsys.readouterr()
    assert written.err.startswith("error: code that this runs, of a network say, ends the process (sys.exit(0))")
    assert written.err.count("\n") == 1 and written.out == ""


@pytest.mark.fault("one line")
@pytest.mark.parametrize(
    ("network", "arguments", "message"),
    [
        ("huge", [], "there is not enough memory ("),
        ("wider", [], "there is not enough memory ("),
        ("wide", ["--batch-size", "8"], "8 images per pass do not fit into memory: lower --batch-size"),
    ],
)
def test_where_memory_is_limited_one_line_says_what_to_lower(folder, network, arguments, message, capsys):
    """What is asked for is far above the limit, and the rest far below it: threads reserve 64 MiB or more of their own."""
    assert main(["measure", *SMALL]) == 0  # what is imported and set up once is there
    capsys.readouterr()
    with within_bounds(memory=512 * 2**20):
        assert main(["measure", f"my_nets:{network}", *SMALL[1:], *arguments, "--csv", "r.csv"]) == 1
    written = capsys.readouterr()
    assert written.err.startswith(f"error: {message}") and written.err.count("\n") == 1
    assert written.out == "" and not (folder / "r.csv").exists()


LIMITED = """
import resource
import sys
from pathlib import Path

from diffeo_stability.__main__ import main

used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]), used + int(sys.argv[1])))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.fault("one line")
def test_where_the_limit_leaves_no_room_for_libraries_one_line_says_so(folder):
    """As under ``ulimit -v``: torch takes more than 64 MiB everywhere. OpenBLAS, if it comes first, has a line of its own."""
    arguments = [sys.executable, "-c", LIMITED, str(64 * 2**20), "measure", *SMALL]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "memory" in line.lower() and len(line) < 500


def test_ctrl_c_is_one_line_and_the_status_of_the_shells(capsys):
    assert main(["measure", "my_nets:interrupting", *SMALL[1:]]) == 130
    assert capsys.readouterr().err.splitlines() == ["interrupted"]


def test_how_weights_were_unwrapped_stands_on_stderr(folder, capsys):
    torch.save({"state_dict": {f"model.{name}": value for name, value in small().state_dict().items()}}, "net.ckpt")
    assert main(["measure", *SMALL, "--weights", "net.ckpt"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "weights net.ckpt: taken from the key state_dict",
        "weights: the prefix model. is taken off their names",
    ]


def test_names_of_files_are_printed_such_that_a_terminal_obeys_none(folder, capsys):
    name = "a\x1b[2J\udcff.pt"
    torch.save(small().state_dict(), name)
    assert main(["measure", *SMALL, "--weights", name, "--csv", "r.csv"]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said and r"(a\x1b[2J\udcff.pt)" in said
    assert rows_of(folder / "r.csv")[0]["weights"] == r"a\x1b[2J\udcff.pt"


def test_without_stderr_the_result_is_printed_all_the_same(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["measure", *SMALL]) == 0 and main(["measure", "vgg7", *SMALL[1:]]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_what_cannot_be_printed_for_want_of_space_is_one_line(monkeypatch, capsys):
    full = Path("/dev/full").open("w")  # noqa: SIM115 - closing it fails
    monkeypatch.setattr(sys, "stdout", full)
    assert main(["measure", *SMALL]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: what is printed: No space left on device: free some space there, then run again"
    ]
    with contextlib.suppress(OSError):
        full.close()


def test_weights_and_none_cannot_both_be_asked_for(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["measure", *SMALL, "--untrained", "--weights", "net.pt"])
    assert stopped.value.code == 2 and "not allowed with" in capsys.readouterr().err


ALONE = """
import sys

for package in ("matplotlib", "pandas", "pydantic", "snakemake", "tqdm", "yaml"):
    sys.modules[package] = None
from diffeo_stability.__main__ import main

try:
    main(["measure", "--help"])
except SystemExit:
    assert "torch" not in sys.modules
assert main(["measure", *sys.argv[1:]]) == 0
assert main(["measure", *sys.argv[1:], "--plot", "r.png"]) == 1
assert main(["claims", "claims.csv"]) == 1
"""


def test_it_needs_nothing_of_the_pipeline(folder):
    done = subprocess.run([sys.executable, "-c", ALONE, *SMALL], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    plot, claims = done.stderr.splitlines()
    assert plot == "error: --plot needs matplotlib, which is not installed: pip install matplotlib"
    assert claims.startswith("error: claims needs ") and claims.endswith("pip install -e '.[workflow]'")


def test_the_module_is_the_command(folder):
    command = [sys.executable, "-m", "diffeo_stability", "measure", "vgg7", *SMALL[1:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("error: network 'vgg7' is not known")
