"""Copies of somebody else's code, and output of build tools, as the names of folders and files say.

Our own short list, after the conventions of package managers: each entry has its reason. A folder
counts wherever it stands in the path. Names that people also give to their own code (`external`,
`deps`, `lib`, `build`, `vendors`) are left out: losing somebody's code is worse than parsing a
copy.
"""

import re
from itertools import pairwise

VENDORED_FOLDERS: dict[bytes, str] = {
    b"node_modules": "npm installs here",
    b"bower_components": "Bower installs here",
    b"jspm_packages": "jspm installs here",
    b"vendor": "Go, Composer, Bundler and most people who copy",
    b"_vendor": "pip, setuptools and others keep their dependencies here",
    b"vendored": "said in the name",
    b"third_party": "said in the name; Google's convention",
    b"third-party": "said in the name",
    b"thirdparty": "said in the name",
    b"3rdparty": "said in the name; Qt's convention",
    b"site-packages": "an installed Python environment",
    b"dist-packages": "an installed Python environment, on Debian",
    b"__pypackages__": "PDM installs here",
    b".venv": "a virtual environment",
    b"Godeps": "godep keeps its workspace here",
    b"Pods": "CocoaPods installs here",
    b"Carthage": "Carthage builds here",
    b".yarn": "Yarn keeps its own releases and plugins here",
    b".tox": "tox keeps its environments here",
    b".nox": "nox keeps its environments here",
    b".eggs": "setuptools fetches build dependencies here",
    b".gradle": "Gradle keeps its cache here",
    b".next": "the output of Next.js",
    b".nuxt": "the output of Nuxt",
}
# Below these a folder's name is part of a package's name: com/shop/vendor is about vendors.
_PACKAGE_ROOTS = frozenset({(b"src", b"main"), (b"src", b"test")})
_PACKAGE_NAMES = frozenset({b"vendor"})

# What bundlers write; people name folders of Python and Go sources so too.
_OUTPUT_FOLDER = b"dist"
_OUTPUT_NAME = re.compile(rb"\.(?:js|cjs|mjs|d\.ts|d\.cts|d\.mts)$")

# Minified and bundled files by their names, and libraries that people copy as one file: with a
# version in its name, because without one it may be the library's own repository.
_MINIFIED_NAME = re.compile(rb"[.-]min\.(?:js|cjs|mjs)$|\.(?:bundle|chunk)\.js$")
_COPIED_NAME = re.compile(
    rb"^(?:[a-z][\w.]*?-\d+\.\d+(?:\.\d+)*|jquery(?:[.-][\w.-]+)?)\.js$|^\.pnp\.c?js$"
)


def is_vendored(parts: list[bytes]) -> bool:
    """Whether the path, given as its parts, is a copy or an output, by its names alone."""
    folders, name = parts[:-1], parts[-1]
    if _OUTPUT_FOLDER in folders and _OUTPUT_NAME.search(name):
        return True
    for index, folder in enumerate(folders):
        if folder in VENDORED_FOLDERS:
            above = pairwise(folders[:index])
            if folder not in _PACKAGE_NAMES or _PACKAGE_ROOTS.isdisjoint(above):
                return True
    return bool(_COPIED_NAME.match(name))


def is_minified(name: bytes) -> bool:
    """Whether a file's name says that it was minified or bundled."""
    return bool(_MINIFIED_NAME.search(name))
