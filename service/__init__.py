"""HTTP in, JSON out: the API, the command line, Flower and the embedded stack."""
