from shop.first import handler


def test_total():
    assert handler({"articles": ["tea"]}, None) == {"total": 4}
