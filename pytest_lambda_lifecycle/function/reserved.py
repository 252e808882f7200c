"""The environment variables that Lambda reserves.

Developer Guide, "Configuring environment variables", "Defined runtime environment variables".
"""

from __future__ import annotations

from typing import Final

__all__ = ["RESERVED_VARIABLES", "setting_of_variable"]

RESERVED_VARIABLES: Final = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
    }
)
_SETTING_OF_VARIABLE: Final = {
    "_HANDLER": "handler",
    "AWS_DEFAULT_REGION": "region",
    "AWS_REGION": "region",
    "AWS_EXECUTION_ENV": "runtime",
    "AWS_LAMBDA_FUNCTION_NAME": "function_name",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "memory_size",
    "AWS_LAMBDA_FUNCTION_VERSION": "function_version",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "initialization_type",
    "AWS_LAMBDA_LOG_GROUP_NAME": "function_name",
    "LAMBDA_TASK_ROOT": "code_dir",
}


def setting_of_variable(name: str) -> str | None:
    """Return the setting that a reserved variable shows to the function, if there is one."""
    return _SETTING_OF_VARIABLE.get(name)
