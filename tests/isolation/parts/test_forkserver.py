"""The fork server of multiprocessing."""

import os

import pytest

from pytest_lambda_lifecycle.isolation.stage import stage


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_fork_server_ends_with_the_environment(environment, write):
    import multiprocessing.forkserver
    import multiprocessing.util

    def kept():
        return multiprocessing.process.current_process()._config.get("tempdir"), dict(vars(server))

    server = multiprocessing.forkserver._forkserver
    before = kept()
    write("work.py", "def work(): ...")
    env = environment(
        """
        import multiprocessing, work
        def handler(event, context):
            process = multiprocessing.get_context("forkserver").Process(target=work.work)
            process.start(); process.join()
            return [process.exitcode, multiprocessing.forkserver._forkserver._forkserver_pid]
        """,
        timeout=30,
    )
    code, first = env.invoke().payload
    stage.leave()
    assert code == 0
    assert kept() == before
    assert env.invoke().payload == [0, first]
    env.reset()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert env.invoke().payload[1] != first
    env.close()
    assert kept() == before
    assert not [
        one
        for one in multiprocessing.util._finalizer_registry.values()
        if str(env.tmp) in str(one._args)
    ]
