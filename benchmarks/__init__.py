"""How fast, on what anybody can fetch: `python -m benchmarks` runs all, `... parse` runs one.

A benchmark is a module here with a `main()` that prints its table. Real inputs come from the public
registries, through their own clients, into a cache outside the repository.
"""
