"""What is not collected where an optional package is missing: the doctests of modules that are about it."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("scipy") else ["tinygrad_sp/scipy/*"]
