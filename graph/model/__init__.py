"""The words of the graph, pure: no SQL, no clock, no network."""
