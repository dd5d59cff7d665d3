"""Reads over published snapshots.

A read names its tenant and its snapshot, gets rows and gives back frozen values in which codes
have become words. Two locks stand in every statement: `tenant_id = :tenant` here, and the row
policy in the database; either alone would do. Statements that carry weight are SQL text with a
purpose above them, and each is explained once in a test, on a seeded database, as the role that
runs it: a sequential scan over nodes or edges fails that test.

Symbols have a stable id, edges point to ids and not to rows, and one id may have several rows:
an external symbol is a row of every document that uses it, a Go package one of every file that
belongs to it. So reads go through the documents of the snapshot and drop repeated ids.
"""
