"""Rows that come and go: each is encoded once, known by what is in it, and never by what stands beside it."""
