"""SnapStart: values that copies of one snapshot share, and copies of a snapshot."""

from __future__ import annotations

import pytest

from pytest_lambda_lifecycle import (
    ExecutionEnvironment,
    FunctionConfig,
    Init,
    InitError,
    InvalidTransition,
    LifecycleError,
    SnapshotCopy,
)

HANDLER = "\ndef handler(event, context): return None\n"
HOOK = """
import sys, types
hooks = types.SimpleNamespace(get_before_snapshot=list, get_after_restore=lambda: [(renew, (), {})])
sys.modules["snapshot_restore_py"] = hooks
"""
"""Stands for the library of hooks, which not every Python has."""


@pytest.fixture
def make(lambda_lifecycle, write):
    def make(source, **settings):
        root = write("app.py", source + HANDLER).parent
        return lambda_lifecycle(
            "app.handler", code_dir=root, initialization_type="snap-start", **settings
        )

    return make


def unsafe(env, **options):
    """Return the lines about values that copies share."""
    with pytest.raises(AssertionError) as error:
        env.assert_snapshot_safe(**options)
    first, *lines, last = str(error.value).splitlines()
    assert first.startswith("app.handler keeps values of Init")
    assert "register_after_restore" in last
    return [line.strip() for line in lines]


class TestValues:
    @pytest.mark.parametrize(
        ("source", "path", "why"),
        [
            ("import uuid\nID = str(uuid.uuid4())", "app.ID", "(uuid.uuid4() at app.py:2)"),
            ("from uuid import uuid4\nID = uuid4()", "app.ID", "(uuid.uuid4() at app.py:2)"),
            ("import uuid\nC = {'ids': [uuid.uuid4().hex]}", "app.C['ids'][0]", "uuid.uuid4()"),
            ("import uuid\nclass A: id = uuid.uuid1()", "app.A.id", "uuid.uuid1()"),
            ("import uuid\nC = {str(uuid.uuid4()): [1]}", "app.C['", "its key is another one"),
            ("import secrets\nN = 'n-' + secrets.token_hex(8)", "app.N", "secrets.token_hex()"),
            ("import os\nN = int.from_bytes(os.urandom(8), 'big')", "app.N", "os.urandom()"),
            (
                "import os, hashlib\nN = hashlib.md5(os.urandom(8)).hexdigest()",
                "app.N",
                "at app.py:2",
            ),
            ("from random import random\nN = random()", "app.N", "random.random() at app.py:2"),
            ("import random\nR = random.Random()", "app.R", "draws the same ones in each copy"),
            ("import time\nT = int(time.time())", "app.T", "(a moment of Init), at app.py:2"),
            ("import datetime\nT = str(datetime.date.today())", "app.T", "a moment of Init"),
            (
                "import time\ndef f(now=time.time()): pass",
                "app.f(now=)",
                "(a moment of Init), at app.py:2",
            ),
            ("import tempfile\nD = tempfile.mkdtemp()", "app.D", "tempfile.mkdtemp()"),
            ("import socket\nS = socket.socket()", "app.S", "a socket"),
            ("import os\nE = dict(os.environ)", "app.E['AWS_SECRET_ACCESS_KEY']", "credentials"),
            ("import os\nK = os.environ['AWS_SECRET_ACCESS_KEY']", "app.K", ": *** (credentials"),
        ],
    )
    def test_one_that_has_to_be_unique_is_found_with_its_source(self, make, source, path, why):
        (line,) = [line for line in unsafe(make(source)) if line.startswith(path)]
        assert why in line

    def test_the_generator_of_the_module_is_found_where_function_code_uses_it(self, make):
        (line,) = unsafe(make("import random"))
        assert line.startswith("random: the generator of the module (app uses it")
        make("import random").assert_snapshot_safe(ignore=["random"])

    @pytest.mark.parametrize(
        "source",
        [
            "import random\nR = random.Random(7); S = random.SystemRandom()",
            "import re, logging, tempfile\nR = re.compile('x'); L = logging.getLogger()"
            "; T = tempfile.gettempdir(); N = [1, 2.5, {'a': None}]",
            "import socket\nS = socket.socket(); S.close()",
            "import os\nAPI = os.environ['AWS_LAMBDA_RUNTIME_API']; HOME = os.environ.get('HOME')",
            "import uuid\nNAMED = uuid.uuid5(uuid.NAMESPACE_DNS, 'example.com')",
        ],
    )
    def test_the_same_values_in_each_init_are_safe(self, make, source):
        make(source).assert_snapshot_safe(ignore=["random"])

    @pytest.mark.parametrize("clock", ["real", "virtual"])
    def test_what_a_hook_makes_anew_is_safe(self, make, request, clock):
        if clock == "virtual":
            request.getfixturevalue("lambda_clock")
        renewed = "import random, uuid\nS = {'id': uuid.uuid4()}\ndef renew():\n    "
        env = make(renewed + "S['id'] = uuid.uuid4(); random.seed()\n" + HOOK)
        env.assert_snapshot_safe()
        assert unsafe(make(renewed + "random.seed()\n" + HOOK))[0].startswith("app.S['id']: ")

    def test_paths_are_ignored_with_everything_beneath(self, make):
        env = make("import uuid\nS = {'a': {'id': uuid.uuid4()}}; T = uuid.uuid4()")
        assert len(unsafe(env, ignore=["app.S"])) == 1
        env.assert_snapshot_safe(ignore=["app.S['a'].*", "app.T"])

    def test_nothing_happens_in_the_environment_itself(self, make, lambda_lifecycle):
        env = make("X = 1")
        env.assert_snapshot_safe()
        assert env.phases == []
        assert lambda_lifecycle.environments == (env,)

    def test_patches_of_the_test_are_in_place(self, make):
        env = make("import uuid\nID = uuid.uuid4()")
        env.patch("uuid.uuid4", lambda: "fixed")
        env.assert_snapshot_safe()


class TestMisuse:
    def test_without_snap_start(self, lambda_lifecycle, write):
        env = lambda_lifecycle("app.handler", code_dir=write("app.py", HANDLER).parent)
        with pytest.raises(InvalidTransition, match="cannot assert that a snapshot is safe: init"):
            env.assert_snapshot_safe()

    def test_after_the_end(self, make):
        env = make("")
        snapshot = env.snapshot()
        env.shutdown()
        with pytest.raises(InvalidTransition, match="cannot assert"):
            env.assert_snapshot_safe()
        with pytest.raises(InvalidTransition, match="cannot restore a copy of the snapshot"):
            snapshot.restore()

    def test_an_unknown_path(self, make):
        with pytest.raises(LifecycleError, match=r"ignore has 'app\.RUNID', and the function has"):
            make("RUN_ID = 1").assert_snapshot_safe(ignore=["app.RUNID"])

    def test_an_init_that_fails(self, make):
        with pytest.raises(InitError, match="no"):
            make("raise ValueError('no')").assert_snapshot_safe()


SHARED = """
    import random, socket, tempfile, uuid
    ID, R, S, F = uuid.uuid4(), random.Random(), {"ids": [uuid.uuid4().hex]}, tempfile.mkdtemp()
    class Service:
        made = 0
        def __init__(self): self.id = uuid.uuid4()
    service = Service()
    pair = (uuid.uuid4(), 1)
    def handler(event, context):
        return [str(ID), R.random(), random.random(), S, str(service.id), str(pair[0])]
"""


class TestCopies:
    @pytest.fixture
    def env(self, lambda_lifecycle, write):
        root = write("app.py", SHARED).parent
        return lambda_lifecycle("app.handler", code_dir=root, initialization_type="snap-start")

    def test_environments_of_one_snapshot_have_its_values(self, env, lambda_lifecycle):
        snapshot = env.snapshot()
        copies = [snapshot.restore() for _ in range(2)]
        env.restore()
        first, second, third = [one.invoke().payload for one in (env, *copies)]
        assert first[:5] == second[:5] == third[:5]
        assert len({first[5], second[5], third[5]}) == 3  # inside a tuple
        assert lambda_lifecycle.environments == (env, *copies)

    def test_the_timeline_names_what_differs(self, env):
        copy = env.snapshot().restore()
        (event,) = copy.timeline.of(SnapshotCopy)
        assert {"app.ID", "app.R", "app.S['ids'][0]", "app.service.id"} <= set(event.copied)
        assert set(event.own) == {"app.F", "app.pair[0]"}
        assert "made anew, and different: " in repr(copy.timeline)
        assert copy.phases == ["init", "restore"]

    def test_a_copy_goes_its_own_way(self, env):
        snapshot = env.snapshot()
        one, other = snapshot.restore(), snapshot.restore()
        one.module.S["ids"].append("more")
        one.invoke()
        assert len(other.module.S["ids"]) == 1
        assert other.invoke().payload[1] == snapshot.restore().invoke().payload[1]

    def test_a_snapshot_is_the_init(self, env):
        snapshot = env.snapshot()
        assert isinstance(snapshot, Init)
        assert (snapshot.name, snapshot.type, snapshot.status) == ("init", "snap-start", "success")
        assert snapshot.events == env.init.events

    def test_without_pytest(self, write):
        root = write("app.py", SHARED).parent
        config = FunctionConfig("app.handler", code_dir=root, initialization_type="snap-start")
        with ExecutionEnvironment(config) as env, env.snapshot().restore() as copy:
            env.assert_snapshot_safe(ignore=["app.*", "random"])
            assert copy.invoke().payload[:5] == env.invoke().payload[:5]
