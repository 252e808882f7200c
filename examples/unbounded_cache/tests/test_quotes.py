import pytest


def test_growth_is_found_with_its_rate_and_its_line(lambda_lifecycle):
    env = lambda_lifecycle("quotes.unbounded.handler")
    with pytest.raises(AssertionError) as found:
        env.assert_no_growth(lambda index: {"amount": index})
    assert "quotes.unbounded.QUOTES: 23 -> 50, 1.00 per invoke, at quotes/unbounded.py:9" in str(
        found.value
    )


def test_the_same_request_again_is_no_growth(lambda_lifecycle):
    env = lambda_lifecycle("quotes.unbounded.handler")
    env.assert_no_growth({"amount": 7})
