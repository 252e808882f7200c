"""Measurements beside their bare counterparts; `tox -e bench` runs them."""
