"""Cold against warm: answers that depend on what has come before."""

from __future__ import annotations

import pytest

from pytest_lambda_lifecycle import InitError, LifecycleError, LifecycleWarning

EVENTS = [{"id": "a"}, {"id": "b"}, {"id": "c"}]
FUNCTIONS = """
    import datetime, json, pathlib, random, sys, tempfile, time, uuid
    profiles = {}
    seen, latest, started, process = [], None, time.time(), str(uuid.uuid4())

    def keeps_all(event, context):
        seen.append(event["id"])
        return {"count": len(seen)}

    def keeps_the_latest(event, context):
        global latest
        before, latest = latest, event["id"]
        return [before, event["id"]] if (before, event["id"]) == ("c", "a") else event["id"]

    def changes(event, context):
        return {
            "id": event["id"], "requestId": context.aws_request_id, "nan": float("nan"),
            "body": json.dumps({"day": str(datetime.date.today()), "ok": True}),
            "dice": random.choice("xy"), "uuid": [str(uuid.uuid4())],
        }

    def expires(event, context):
        return "old" if time.time() - started > 3000 else "new"

    def keeps_profiles(event, context):
        profiles.setdefault(event["id"], {"tags": ["x"]})
        return len(profiles)

    def restarts(event, context):
        file = pathlib.Path(tempfile.gettempdir(), "process")
        before = file.exists() and file.read_text() != process
        file.write_text(process)
        return before

    def fails(event, context):
        seen.append(1)
        raise ValueError(f"failed, {context.aws_request_id}")

    def fails_later(event, context):
        seen.append(1)
        if len(seen) > 1:
            raise ValueError("again")

    def logs(event, context):
        seen.append(1)
        print("first" if len(seen) == 1 else "later", context.aws_request_id)

    def dies(event, context):
        sys.exit(3)

    def random_text(event, context):
        return str(uuid.uuid4())
"""


@pytest.fixture
def compare(lambda_lifecycle, write):
    root = write("app.py", FUNCTIONS).parent

    def compare(handler, events=EVENTS, **options):
        return lambda_lifecycle.assert_warm_equals_cold(
            events, handler=f"app.{handler}", code_dir=root, **options
        )

    return compare


def failure(compare, handler, **options):
    with pytest.raises(AssertionError) as error:
        compare(handler, **options)
    return str(error.value).splitlines()


class TestFailures:
    def test_the_shortest_sequence_and_the_state_behind_it_are_shown(self, compare):
        lines = failure(compare, "keeps_all")
        assert lines[0].startswith("app.keeps_all answers event 2 of 3 otherwise")
        assert lines[1:] == [
            "The shortest sequence that differs:",
            "  invoke({'id': 'a'})",
            "  invoke({'id': 'b'})",
            "Its last answer:",
            "  count: 2, and cold 1",
            "State that differed before its last event:",
            "  app.seen[0]: 'a', and cold nothing",
        ]

    def test_events_that_do_not_matter_are_left_out(self, compare):
        lines = failure(compare, "keeps_the_latest")
        assert lines[2:4] == ["  invoke({'id': 'c'})", "  invoke({'id': 'a'})"]
        assert "  payload: ['c', 'a'], and cold 'a'" in lines
        assert lines[4] == "Its last answer:"

    def test_the_line_of_the_state_is_shown_where_it_can_be_told(self, compare):
        lines = failure(compare, "keeps_the_latest")
        assert any(
            line.startswith("  app.latest: 'c', and cold None, at app.py:") for line in lines
        )

    def test_a_container_is_shown_once_and_not_by_its_entries(self, compare):
        lines = failure(compare, "keeps_profiles")
        begin = lines.index("State that differed before its last event:")
        assert len(lines) == begin + 2
        assert lines[-1].startswith("  app.profiles['a']: {'tags': ['x']}, and cold nothing")

    def test_one_event_is_sent_again(self, compare):
        lines = failure(compare, "keeps_all", events=[{"id": "a"}])
        assert lines[2:4] == ["  invoke({'id': 'a'})"] * 2

    def test_an_idle_hour_can_make_the_difference(self, compare):
        lines = failure(compare, "expires")
        assert lines[3] == "  idle(hours=1)"
        assert "  payload: 'old', and cold 'new'" in lines

    def test_a_reset_keeps_files_that_another_process_has_written(self, compare):
        lines = failure(compare, "restarts")
        assert lines[2:5] == ["  invoke({'id': 'a'})", "  reset()", "  invoke({'id': 'b'})"]
        assert any(line.startswith("  /tmp/process: ") for line in lines)

    def test_an_error_in_the_place_of_an_answer(self, compare):
        lines = failure(compare, "fails_later")
        assert "  payload: nothing, and cold None" in lines
        assert any("'errorMessage': 'again'" in line for line in lines)

    def test_the_log_counts_if_it_is_asked_for(self, compare):
        compare("logs")
        lines = failure(compare, "logs", logs=True)
        assert any(line.startswith("  log[0]: 'later ") for line in lines)


class TestAgreement:
    def test_what_changes_from_one_cold_run_to_the_next_is_left_out_and_returned(self, compare):
        left_out = compare("changes", ignore=["dice"])
        assert left_out == tuple(
            f"event {number}: {path}" for number in (1, 2, 3) for path in ("body.day", "uuid[0]")
        )

    def test_a_value_that_two_cold_runs_share_by_chance_is_left_out_as_well(self, compare):
        for _ in range(3):
            compare("changes", ignore=["dice"])

    def test_equal_errors_agree(self, compare):
        assert compare("fails") == ()
        assert compare("dies") == ()

    @pytest.mark.parametrize("ignore", ["count", ["*"], [lambda path: path == "count"]])
    def test_nothing_left_to_compare_is_an_error(self, compare, ignore):
        with pytest.raises(LifecycleError, match="ignore covers all of it") as error:
            compare("keeps_all", ignore=ignore)
        assert error.value.code == "LLC872"

    def test_an_answer_that_is_random_is_an_error(self, compare):
        with pytest.raises(LifecycleError, match="two cold runs differ in all of it"):
            compare("random_text")

    def test_a_path_that_no_answer_has_is_a_warning(self, compare):
        with pytest.warns(LifecycleWarning, match="ignore has 'errror.code'"):
            compare("fails", ignore=["errror.code", "error.errorMessage"])


class TestBadInput:
    @pytest.mark.parametrize("events", [{"id": "a"}, "abc", b"{}", 7, None, [], iter(())])
    def test_no_list_of_events(self, compare, events):
        with pytest.raises(LifecycleError) as error:
            compare("keeps_all", events=events)
        assert error.value.code == "LLC873"

    def test_endless_events(self, compare):
        with pytest.raises(LifecycleError, match="more than 1000 events"):
            compare("keeps_all", events=iter(int, 1))

    def test_an_event_that_is_no_json(self, compare):
        with pytest.raises(LifecycleError, match="object"):
            compare("keeps_all", events=[object()])

    def test_an_init_that_fails(self, lambda_lifecycle, write):
        root = write("broken.py", "raise ValueError('no')").parent
        with pytest.raises(InitError, match="no"):
            lambda_lifecycle.assert_warm_equals_cold(EVENTS, "broken.handler", code_dir=root)

    def test_nothing_of_it_counts_for_the_fixture(self, lambda_lifecycle, compare):
        with pytest.raises(AssertionError):
            compare("keeps_all", max_duration_ms=0.0001)
        assert lambda_lifecycle.environments == ()


def test_virtual_time_passes(lambda_clock, compare):
    before = lambda_clock.now
    compare("fails")
    assert (lambda_clock.now - before).days >= 3
