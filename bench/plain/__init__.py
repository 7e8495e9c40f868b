"""Figure (a): the server a developer writes who follows seed 000 and Django's tutorial, and nothing else.

One Django project: `startproject`'s middleware, a token column in plain text, one view with three statements, each
committed by itself (Django's default), SQLite as Django sets it up (rollback journal, `synchronous=FULL`).
It is deliberately not tuned, and deliberately not slowed: DEBUG is off.
"""
