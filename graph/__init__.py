"""Facts in, graph out: the sole owner of everything persisted."""
