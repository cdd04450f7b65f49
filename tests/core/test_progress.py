"""The line that counts images: on a terminal, and nowhere else."""

import contextlib
import io

import pytest
import torch
from torch import nn

from diffeo_stability import InputError, relative_stability, stability_by_operation

IMAGES = torch.rand(20, 2, 12, 12, generator=torch.Generator().manual_seed(0))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def written_while(measure, *arguments, stderr=Terminal, **settings):
    """What measuring writes to stderr, whether it fails or not."""
    with contextlib.redirect_stderr(stderr()) as stream, contextlib.suppress(InputError):
        measure(*arguments, resamples=10, **settings)
    return stream.getvalue()


@pytest.mark.parametrize("measure", [relative_stability, stability_by_operation])
def test_one_line_counts_the_images(measure):
    model = nn.Sequential(nn.BatchNorm2d(2), nn.Flatten())
    text = written_while(measure, model, IMAGES, batch_norm="batch", batch_size=12, progress=True)
    shown = text.removesuffix("\n").split("\r\x1b[K")[1:]
    assert text.count("\n") == 1 and text.endswith("\n")
    assert "batch-norm statistics: 20 of 20 images" in shown
    assert shown[-5:] == [f"measured {done} of 20 images" for done in (4, 8, 12, 16, 20)]


def test_the_line_ends_where_measuring_fails():
    text = written_while(relative_stability, lambda x: x.flatten(1) * torch.nan, IMAGES, progress=True)
    assert "of 20 images" in text and text.endswith("\n")


def test_a_terminal_that_erases_nothing_and_none_at_all_are_left_alone(monkeypatch):
    with contextlib.redirect_stderr(None):
        relative_stability(nn.Flatten(), IMAGES, resamples=10, progress=True)
    monkeypatch.setenv("TERM", "dumb")
    assert written_while(relative_stability, nn.Flatten(), IMAGES, progress=True) == ""


def test_nothing_is_written_unless_it_is_asked_for_on_a_terminal():
    assert written_while(relative_stability, nn.Flatten(), IMAGES) == ""
    assert written_while(relative_stability, nn.Flatten(), IMAGES, stderr=io.StringIO, progress=True) == ""
