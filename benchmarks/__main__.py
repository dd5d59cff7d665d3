"""Run the benchmarks whose names are given, or all of them."""

import importlib
import pkgutil
import sys
import time

import benchmarks


def main(names: list[str]) -> None:
    """Run each benchmark under its own heading."""
    known = {}
    for found in pkgutil.iter_modules(benchmarks.__path__):
        if not found.name.startswith("_"):
            module = importlib.import_module(f"benchmarks.{found.name}")
            if hasattr(module, "main"):
                known[found.name] = module
    unknown = set(names) - known.keys()
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    for name in names or known:
        started = time.monotonic()
        print(f"== {name}: {(known[name].__doc__ or '').splitlines()[0]}", flush=True)
        known[name].main()
        print(f"   {time.monotonic() - started:.0f} s\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
