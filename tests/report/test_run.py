"""The tests of a run: their order, their outcomes, and the numbers of all."""

from __future__ import annotations

from pytest_lambda_lifecycle.report.run import Run, pack, summary, totals_of

from .runs import read


def end(run, test_id, *outcomes, worker="gw0", number=1):
    for outcome in outcomes:
        run.phase_ended(test_id, worker, outcome, 0.0, 0.1, "")
    run.test_ended(test_id, worker, pack([read([], number=number)]))


def test_the_order_is_that_of_the_collection_whichever_worker_was_first():
    run = Run("shop")
    run.set_order(["a", "b", "c"])
    run.set_order(["c", "b", "a"])
    end(run, "c", "passed")
    end(run, "a", "passed", worker="gw1")
    end(run, "unknown", "passed")
    end(run, "b", "passed", worker="gw1")
    assert [test.id for test in run.tests()] == ["a", "b", "c", "unknown"]


def test_a_test_that_runs_again_is_listed_for_each_run():
    run = Run("shop")
    end(run, "a", "passed", "rerun", "passed")
    end(run, "a", "passed", "passed", "error")
    end(run, "a", "passed", "of a plugin", "passed")
    assert [test.outcome for test in run.tests()] == ["rerun", "error", "of a plugin"]


def test_environments_of_two_workers_with_one_number_are_two():
    run = Run("shop")
    end(run, "a", "passed", worker="gw0", number=1)
    end(run, "b", "passed", worker="gw1", number=1)
    end(run, "c", "passed", worker="gw1", number=1)
    assert totals_of(run.tests())["environments"] == 2
    assert summary(run).startswith("3 tests: 2 environments, 0 cold starts")
