"""The environment variables that a function finds.

They are the developer's variables without those that lead to a real AWS account or belong to an
outer Lambda, the variables that Lambda defines (Developer Guide, "Defined runtime environment
variables"), and those that the function declares.

Some values differ from Lambda's on purpose.  The first two, so that nothing here can reach AWS:

* ``AWS_CONFIG_FILE`` and ``AWS_SHARED_CREDENTIALS_FILE`` exist and name an empty file; without them
  an SDK would read ``~/.aws``.
* With SnapStart, Lambda gives credentials through a local HTTP server and sets no access keys.
  Here the (fake) access keys are set as well, since an SDK that finds none would try that server,
  and then the instance metadata of the machine that runs the tests.  ``AWS_SESSION_TOKEN`` is
  absent, as on Lambda.
* Under virtual time ``AWS_CREDENTIAL_EXPIRATION`` tells SDKs when the keys expire, and they are
  rotated before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import filterfalse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.function.credentials import Credentials
from pytest_lambda_lifecycle.function.reserved import RESERVED_VARIABLES

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig

__all__ = ["NO_LISTENER", "XRAY_DAEMON", "function_variables", "is_withheld", "log_group_name"]

NO_LISTENER: Final = "127.0.0.1:1"
"""An address that refuses a connection at once.

Nothing listens on port 1 (tcpmux), and only root could.
"""

XRAY_DAEMON: Final = "169.254.79.129:2000"
"""The address of the X-Ray daemon inside Lambda.  Here nothing listens there."""

RUNTIME_DIR: Final = "/var/runtime"

# Sources of credentials, profiles and configuration (by their names in botocore and other SDKs),
# and the variables of a Lambda function inside which the tests may run themselves.
_WITHHELD: Final = re.compile(
    r"""
      AWS_ACCESS_KEY.* | AWS_SECRET.* | AWS_SESSION_TOKEN | AWS_SECURITY_TOKEN | AWS_BEARER_TOKEN.*
    | AWS_PROFILE | AWS_DEFAULT_PROFILE | AWS_VAULT
    | AWS_CONFIG_FILE | AWS_SHARED_CREDENTIALS_FILE | BOTO_CONFIG
    | AWS_ROLE_.* | AWS_WEB_IDENTITY_TOKEN.* | AWS_CONTAINER_.* | AWS_CREDENTIAL_.* | AWS_SSO.*
    | AWS_LOGIN_.* | AWS_EC2_METADATA_SERVICE_ENDPOINT.*
    | AWS_LAMBDA_.* | LAMBDA_TASK_ROOT | LAMBDA_RUNTIME_DIR | _LAMBDA_.*
    | _HANDLER | _X_AMZN_.* | _AWS_XRAY_.*
    """,
    re.VERBOSE,
)


def function_variables(
    config: FunctionConfig,
    *,
    outside: Mapping[str, str],
    log_stream_name: str,
    task_root: Path,
    credentials: Credentials | None = None,
    api: str = NO_LISTENER,
    metadata_token: str = "",
) -> dict[str, str]:
    """Return the content of ``os.environ`` when the function's first module is imported.

    ``api`` is the address of the Runtime API, ``metadata_token`` opens the metadata endpoint there.
    ``_X_AMZN_TRACE_ID`` is not among them: the runtime sets it for each invoke.
    """
    given = config.environment
    names = list(filterfalse(is_withheld, filterfalse(given.__contains__, outside)))
    # Those that are given come last, in their own order.
    variables = dict(zip(names, map(outside.__getitem__, names), strict=True))
    variables |= _account_variables(config, credentials or Credentials())
    variables |= {
        "_HANDLER": config.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.memory_size),
        "AWS_LAMBDA_FUNCTION_NAME": config.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": config.function_version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": config.initialization_type,
        "AWS_LAMBDA_METADATA_API": api,
        "AWS_LAMBDA_METADATA_TOKEN": metadata_token,
        "AWS_LAMBDA_RUNTIME_API": api,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": XRAY_DAEMON,
        "LAMBDA_RUNTIME_DIR": RUNTIME_DIR,
        "LAMBDA_TASK_ROOT": str(task_root),
        "TZ": ":UTC",
    }
    variables |= _log_variables(config, log_stream_name)
    return variables | dict(given)


def log_group_name(config: FunctionConfig) -> str:
    """Return the name of the CloudWatch log group that Lambda creates for a function."""
    return f"/aws/lambda/{config.function_name}"


@lru_cache(maxsize=1024)
def is_withheld(name: str) -> bool:
    """Say whether a variable of the test's process never reaches function code."""
    return name in RESERVED_VARIABLES or _WITHHELD.fullmatch(name) is not None


def _account_variables(config: FunctionConfig, credentials: Credentials) -> dict[str, str]:
    variables = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_DEFAULT_REGION": config.region,
        "AWS_REGION": config.region,
    }
    if credentials.expiration is not None:
        variables["AWS_CREDENTIAL_EXPIRATION"] = credentials.expiration
    if config.initialization_type == "snap-start":
        return variables | {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{NO_LISTENER}/2021-04-23/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": credentials.session_token,
        }
    return variables | {"AWS_SESSION_TOKEN": credentials.session_token}


def _log_variables(config: FunctionConfig, log_stream_name: str) -> dict[str, str]:
    variables: dict[str, str] = {}
    if config.initialization_type != "snap-start":
        variables["AWS_LAMBDA_LOG_GROUP_NAME"] = log_group_name(config)
        variables["AWS_LAMBDA_LOG_STREAM_NAME"] = log_stream_name
    if config.log_format != "Text":
        variables["AWS_LAMBDA_LOG_FORMAT"] = config.log_format
    level = config.application_log_level or ("INFO" if config.log_format == "JSON" else None)
    if level is not None:  # Lambda's default with JSON logs is INFO ("Log level filtering")
        variables["AWS_LAMBDA_LOG_LEVEL"] = level
    return variables
