"""Child processes of the function write into its log, as they inherit its streams."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="children inherit pipes")

CALLS = [
    "subprocess.run(['echo', 'from a child'])",
    "subprocess.run('echo from a child >&2', shell=True)",
    "subprocess.run(['echo', 'from a child'], stdout=None, stderr=subprocess.STDOUT)",
    "subprocess.check_call(['echo', 'from a child'], -1, None, None)",
    "subprocess.run(['echo', 'from a child'], stdout=sys.stdout)",
    "subprocess.run(['echo', 'from a child'], stdout=sys.stderr)",
    "subprocess.run(['echo', 'from a child'], stdout=1)",
    "subprocess.call(['echo', 'from a child'], stdout=sys.__stdout__)",
    "subprocess.check_output('echo from a child >&2; echo', shell=True)",
    "os.system('echo from a child')",
    "os.popen('echo from a child >&2').close()",
    "threading.Thread(target=subprocess.run, args=(['echo', 'from a child'],)).start()",
    "asyncio.run(from_asyncio())",
    "from_a_fork()",
]


@pytest.mark.parametrize("call", CALLS)
def test_output_of_a_child_is_in_the_log(environment, capsys, call):
    env = environment(f"""
        import asyncio, multiprocessing, os, subprocess, sys, threading, time

        async def from_asyncio():
            child = await asyncio.create_subprocess_exec("echo", "from a child")
            await child.wait()

        def from_a_fork():
            child = multiprocessing.get_context("fork").Process(
                target=print, args=("from a child",)
            )
            child.start()
            child.join()

        def handler(event, context):
            print("before")
            others = set(threading.enumerate())
            {call}
            for thread in set(threading.enumerate()) - others:
                if not thread.daemon or "waitpid" in thread.name:
                    thread.join()
            print("after")
    """)
    log = env.invoke().log
    lines = [line for line in log.splitlines() if line in {"before", "from a child", "after"}]
    assert lines == ["before", "from a child", "after"]
    assert "function" in [record["type"] for record in env.telemetry]
    captured = capsys.readouterr()
    assert "from a child" in captured.out + captured.err


def test_a_child_that_writes_much_does_not_wait(environment):
    env = environment(f"""
        import subprocess
        def handler(event, context):
            subprocess.run([{sys.executable!r}, "-c", "print('x' * 1_000_000)"], check=True)
    """)
    assert "x" * 1_000_000 in env.invoke().log


def test_streams_that_function_code_names_are_left_to_it(environment):
    env = environment("""
        import subprocess, tempfile
        def handler(event, context):
            with tempfile.TemporaryFile() as file:
                subprocess.run(["echo", "to a file"], stdout=file)
                subprocess.run(["echo", "to nobody"], stdout=subprocess.DEVNULL)
                file.seek(0)
                return file.read().decode() + subprocess.check_output(["echo", "back"], text=True)
    """)
    invocation = env.invoke()
    assert invocation.payload == "to a file\nback\n"
    assert "to a" not in invocation.log
    assert "to nobody" not in invocation.log


def test_attributes_of_the_object_are_as_ever(environment):
    env = environment("""
        import subprocess
        def handler(event, context):
            child = subprocess.Popen(["true"])
            return [child.stdout, child.stderr, child.wait(timeout=10), child.args]
    """)
    assert env.invoke().payload == [None, None, 0, ["true"]]


@pytest.mark.parametrize(("command", "status"), [("exit 3", 3 << 8), ("kill -9 $$", 9)])
def test_the_result_of_a_command(environment, command, status):
    env = environment(f"import os\ndef handler(event, context): return os.system({command!r})")
    assert env.invoke().payload == status
    assert os.system(command) == status


def test_a_program_that_does_not_exist_leaves_nothing_open(environment):
    env = environment("""
        import subprocess
        def handler(event, context):
            try:
                subprocess.run(["/nowhere/tool"])
            except FileNotFoundError:
                return "not found"
    """)
    before = set(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else set()
    assert env.invoke().payload == "not found"
    env.reset()
    after = set(os.listdir("/proc/self/fd")) if before else set()
    assert len(after) <= len(before) + 1  # the address of the APIs


def test_a_child_that_goes_on_ends_with_the_process_and_its_thread(environment, tmp_path):
    env = environment("""
        import os, subprocess, time
        children = []
        def handler(event, context):
            command = "echo started; touch started; exec sleep 60"
            children.append(subprocess.Popen(command, shell=True, cwd=event))
            while not os.path.exists(f"{event}/started"): time.sleep(0.01)
            time.sleep(0.2)
    """)
    assert "started\n" in env.invoke(str(tmp_path)).log
    env.close()
    names = [thread.name for thread in threading.enumerate()]
    assert "output of a child of the function" not in names


def test_children_of_the_test_are_none_of_the_function(environment, capfd):
    env = environment("def handler(event, context): return 1")
    env.invoke()
    subprocess.run(["echo", "from the test"], check=True)
    os.system("echo from the test, too")
    assert "from the test" not in env.log
    assert capfd.readouterr().out == "from the test\nfrom the test, too\n"


def test_what_was_in_place_is_in_place_again(environment):
    before = subprocess.Popen.__init__, subprocess.Popen.wait, os.system
    env = environment("def handler(event, context): return 1")
    env.invoke()
    env.close()
    assert (subprocess.Popen.__init__, subprocess.Popen.wait, os.system) == before
