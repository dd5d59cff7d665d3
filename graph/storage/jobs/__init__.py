"""Jobs: the queue, which is a table."""
