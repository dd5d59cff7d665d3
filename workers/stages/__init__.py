"""The steps of an ingestion. A stage takes values, returns values, and may be run twice.

`checkout` makes the objects of one commit readable, `inventory` lists its files, `parse` turns
bytes into facts, `resolve` turns facts into documents with nodes and edges, `load` stores those
that are new, `publish` makes them visible. `workers.pipeline` tells the story.
"""
