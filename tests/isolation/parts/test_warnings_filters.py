"""Filters of the module ``warnings``."""

from __future__ import annotations

import warnings

import pytest


def test_filters_of_the_function_do_not_stay(environment):
    before = warnings.filters
    env = environment("""
        import warnings
        warnings.simplefilter("ignore", UserWarning)
        def handler(event, context): warnings.warn("quiet"); return len(warnings.filters)
    """)
    env.invoke()
    assert warnings.filters is before
    with pytest.warns(UserWarning, match="loud"):
        warnings.warn("loud", stacklevel=1)


def test_filters_of_the_test_act_on_the_function(environment):
    env = environment("import warnings\ndef handler(event, context): warnings.warn('careful')")
    # This suite turns warnings into errors; on Lambda the warning is a line on stderr.
    assert env.invoke(check=False).error_type == "UserWarning"
