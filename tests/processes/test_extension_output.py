"""Output of extension processes: whole lines, up to a limit."""

import pytest

from pytest_lambda_lifecycle.processes.output import MAX_LINE, OUTPUT_LIMIT, Output


class Recorder:
    def __init__(self):
        self.lines, self.lost = [], []
        self.output = Output(self.lines.append, lambda lines, size: self.lost.append((lines, size)))


@pytest.fixture
def recorder():
    return Recorder()


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_are_whole_although_they_arrive_in_pieces(recorder, size):
    text = "first\n\ngrüße ∞ 🐍\r\nno end".encode()
    for start in range(0, len(text), size):
        assert recorder.output.feed(text[start : start + size])
    assert recorder.lines == ["first\n", "\n", "grüße ∞ 🐍\r\n"]
    recorder.output.end()
    assert recorder.lines[3:] == ["no end"]
    assert recorder.lost == []


def test_no_output_is_no_line(recorder):
    recorder.output.end()
    recorder.output.settle()
    assert recorder.lines == recorder.lost == []


def test_bytes_that_are_not_text(recorder):
    recorder.output.feed(b"a\xff\x00b\n")
    assert recorder.lines == ["a\ufffd\x00b\n"]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_without_end_is_cut_between_characters(recorder, end):
    text = "a" + "🐍" * (MAX_LINE // 2)  # twice the limit, and not a multiple of it
    recorder.output.feed(text.encode() + end)
    recorder.output.end()
    assert "".join(recorder.lines) == text + end.decode()
    assert [len(line.encode()) for line in recorder.lines] == [MAX_LINE - 3, MAX_LINE, 4 + len(end)]


def test_output_over_the_limit_is_dropped_and_counted(recorder):
    line = b"x" * 1023 + b"\n"
    fits = OUTPUT_LIMIT // len(line)
    assert [recorder.output.feed(line) for _ in range(fits + 10)] == [True] * fits + [False] * 10
    assert recorder.lost == []
    recorder.output.end()
    assert len(recorder.lines) == fits
    assert recorder.lost == [(10, 10 * len(line))]


def test_the_next_turn_begins_with_a_whole_line(recorder):
    recorder.output.feed(b"y\n" * (OUTPUT_LIMIT // 2) + b"begun")
    recorder.output.feed(b", dropped\ndropped, too")
    recorder.output.settle()
    assert recorder.lost == [(2, len(b"begun, dropped\ndropped, too"))]
    assert recorder.output.feed(b" much")
    assert recorder.output.feed(b" of it\nkept\n")
    assert recorder.lines[-2:] == ["y\n", "kept\n"]
    recorder.output.settle()
    assert recorder.lost[1:] == [(1, len(b" much of it\n"))]
    recorder.output.settle()
    assert len(recorder.lost) == 2


def test_each_turn_has_the_same_limit(recorder):
    for _ in range(3):
        assert recorder.output.feed(b"z\n" * (OUTPUT_LIMIT // 2))
        assert not recorder.output.feed(b"more\n")
        recorder.output.settle()
    assert recorder.lost == [(1, 5)] * 3
    assert len(recorder.lines) == 3 * OUTPUT_LIMIT // 2
