#!/bin/sh
# Write the lock files from pyproject.toml: exact versions with hashes, for every platform, and no
# address of any index. Needs uv. JupyterLab has a lock of its own, at the same versions.
set -eu
cd "$(dirname "$0")/.."
lock() {
    target=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
        --no-header --no-emit-index-url --no-emit-find-links --upgrade "$@" pyproject.toml \
        --output-file "$target"
}
lock requirements.lock --group test --group build
lock requirements-lab.lock --group lab --group build --constraints requirements.lock
