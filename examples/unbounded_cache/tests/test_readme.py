"""Recipes of `docs/state.md`, word for word."""


def test_the_cache_is_bounded(lambda_lifecycle):
    env = lambda_lifecycle("quotes.app.handler")
    env.assert_no_growth(lambda index: {"amount": index}, invokes=50)
