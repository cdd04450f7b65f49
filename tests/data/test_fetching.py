"""Downloads end: with the file, or with a line that says why not, whatever the server does."""

import errno
import hashlib
import http.server
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import HANGS

from diffeo_stability.data.fetching import FetchError, fetch
from diffeo_stability.data.files import atomic_path

CONTENT = b"weights" * 10
SILENCE = 0.5  # seconds, where the server is to be given up; elsewhere even a busy machine answers in time
MOST = 1000  # bytes
IN_PARTS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def stalls(answer):
    answer.begin(MOST)
    answer.wfile.write(CONTENT)
    answer.wait()


def says_nothing(answer):
    answer.wait()


def trickles(answer):
    answer.begin(MOST)
    while answer.write(b"0"):
        time.sleep(SILENCE / 10)


def never_ends(answer):
    answer.begin(None)
    while answer.write(bytes(2**16)):
        pass


def announces_too_much(answer):
    answer.begin(2**40)


def breaks_off(answer):
    answer.begin(MOST)
    answer.wfile.write(CONTENT)


def sends_another_file(answer):
    answer.begin(3)
    answer.wfile.write(b"???")


def is_no_web_server(answer):
    answer.wfile.write(b"220 ready\r\n")


def turns_in_circles(answer):
    answer.send_response(302)
    answer.send_header("Location", answer.path)
    answer.end_headers()


def leads_to_a_file_of_the_system(answer):
    answer.send_response(302)
    answer.send_header("Location", "file:///etc/passwd")
    answer.end_headers()


def leads_to_another_protocol(answer):
    answer.send_response(302)
    answer.send_header("Location", "ftp://127.0.0.1/file")
    answer.end_headers()


def trickles_its_status(answer):
    while answer.write(b"H"):
        time.sleep(SILENCE / 10)


def trickles_its_head(answer):
    answer.write(b"HTTP/1.1 200 OK\r\nX: ")
    trickles_its_status(answer)


def trickles_between_parts(answer):
    answer.write(IN_PARTS)
    trickles_its_status(answer)


def asks_to_go_on_for_ever(answer):
    while answer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000):
        pass


def adds_lines_for_ever(answer):
    answer.write(IN_PARTS + b"1\r\na\r\n0\r\n")
    while answer.write(b"X: y\r\n" * 1000):
        pass


@contextmanager
def serving(behave):
    """The address of a server that answers as a function does."""
    over = threading.Event()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            behave(self)

        def begin(self, length):
            self.send_response(200)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()

        def write(self, content):
            """Send something, and say whether somebody still listens."""
            try:
                self.wfile.write(content)
            except OSError:
                return False
            return not over.is_set()

        def wait(self):
            over.wait()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/file"
        over.set()
        server.shutdown()


def fetched(address, path, silence=HANGS):
    fetch(address, path, digest=hashlib.md5(CONTENT).hexdigest(), algorithm="md5", most=MOST, silence=silence)


@pytest.mark.fault("one line")
@pytest.mark.parametrize(
    ("behave", "message"),
    [
        (stalls, f"sent nothing for {SILENCE} s"),
        (says_nothing, f"sent nothing for {SILENCE} s"),
        (trickles, "sent only .* bytes in .* s"),
        (trickles_its_status, "sent only .* bytes in .* s"),
        (trickles_its_head, "sent only .* bytes in .* s"),
        (trickles_between_parts, "sent only .* bytes in .* s"),
        (asks_to_go_on_for_ever, "sends something else without an end"),
        (adds_lines_for_ever, "sends something else without an end"),
        (never_ends, "must have at most 1,000 bytes, and has more"),
        (announces_too_much, "has 1,099,511,627,776 bytes, and must have at most 1,000"),
        (breaks_off, "broke off after 70 of 1,000 bytes"),
        (sends_another_file, "is damaged or another file: its MD5 is"),
        (is_no_web_server, "220 ready"),
        (turns_in_circles, "302"),
        (leads_to_a_file_of_the_system, "302"),
        (leads_to_another_protocol, "unknown url type: ftp"),
    ],
)
def test_whatever_a_server_does_is_named_and_leaves_nothing(tmp_path, behave, message):
    with serving(behave) as address, pytest.raises(FetchError, match=message) as caught:  # noqa: SIM117
        with atomic_path(tmp_path / "file") as partial:
            silent = behave in (stalls, says_nothing) or behave.__name__.startswith("trickles")
            fetched(address, partial, SILENCE if silent else HANGS)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(address)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault("one line")
@pytest.mark.parametrize(
    "address",
    [
        "",
        "example.org/file",
        "file:///etc/passwd",
        "ftp://127.0.0.1/file",
        "http://",
        "http://[/file",
        "http://127.0.0.1:x/",
    ],
)
def test_what_is_no_address_is_named(tmp_path, address):
    with pytest.raises(FetchError) as caught:
        fetched(address, tmp_path / "file")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_a_file_is_fetched_by_its_hash_or_the_beginning_of_it(server, tmp_path):
    folder, address = server
    (folder / "file").write_bytes(CONTENT)
    fetched(f"{address}/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    begins = hashlib.sha256(CONTENT).hexdigest()[:8]
    fetch(f"{address}/file", tmp_path / "again", digest=begins, algorithm="sha256", most=len(CONTENT))
    assert (tmp_path / "again").read_bytes() == CONTENT


@pytest.mark.fault("one line")
def test_a_full_disk_is_not_taken_for_a_fault_of_the_server(server):
    folder, address = server
    (folder / "file").write_bytes(CONTENT)
    with pytest.raises(OSError) as caught:
        fetched(f"{address}/file", Path("/dev/full"))
    assert caught.value.errno == errno.ENOSPC
