"""Tables: what is written is what is read."""

import numpy as np
import pandas as pd
import pytest
from hostile import within_bounds

from diffeo_stability import InputError
from diffeo_stability.pipeline.tables import concatenate, read_table, write_table


def test_floats_come_back_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=20_000) * 10.0 ** rng.integers(-300, 300, 20_000)
    table = pd.DataFrame({"number": [*numbers, np.nan, np.inf, 5e-324], "name": 'a, "quoted" name'})
    write_table(table, tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), table, check_exact=True)


@pytest.mark.parametrize("name", ["NA", "nan", "null", "None", "007", "18", "1e5", "True", "inf", "-"])
def test_names_are_text_whatever_they_look_like(tmp_path, name):
    rows = [{"net": name, "seed": 0, "label": name, "permutation": None, "R": 1.5}]
    write_table([*rows, *rows], tmp_path / "table.csv")
    read = read_table(tmp_path / "table.csv")
    assert read.net.tolist() == read.label.tolist() == [name, name]
    assert read.permutation.isna().all() and read.R.tolist() == [1.5, 1.5]


def test_rows_of_several_tables_stand_in_order(tmp_path):
    for number in (2, 1):
        write_table([{"a": number}, {"a": 10 * number}], tmp_path / f"{number}.csv")
    assert concatenate([tmp_path / "2.csv", tmp_path / "1.csv"]).a.tolist() == [2, 20, 1, 10]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01", b'a,b\n1,2,3,4\n"'])
def test_files_that_are_no_table_are_named(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"table .*none.csv is not there: correct its name"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"table .*table.csv cannot be read .*delete it and run again") as caught:
        read_table(tmp_path / "table.csv")
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"," * 10**6 + b"\n1\n1\n",
        b"a\n" + b"," * 10**6 + b"\n1\n",
        b'"\n\n\n"' + b"," * 10**6 + b"\n1\n",
        b"a,b\n1,2,3\n1,2,3\n",
    ],
    ids=["columns", "fields", "columns behind a quote", "more fields than columns"],
)
def test_tables_whose_rows_are_longer_than_any_are_refused(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    with within_bounds(), pytest.raises(InputError, match=r"table .*table.csv has rows (of more|longer) than"):
        read_table(tmp_path / "table.csv")


def test_a_failed_write_leaves_the_old_table(tmp_path):
    write_table([{"a": 1}], tmp_path / "table.csv")

    class Broken:
        def __str__(self):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        write_table([{"a": Broken()}], tmp_path / "table.csv")
    assert read_table(tmp_path / "table.csv").a.tolist() == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
