"""Sources of data: each one hands over the same thing, a `Dataset` and a file of pictures (see items.py)."""
