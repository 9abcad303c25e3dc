#!/bin/sh
# Hold the notebooks to their stored outputs. A kernel can stop answering before it has run anything
# (seen once in a CI's first cell; nbval then waits for its whole limit): only then once more, aloud.
set -eu
cd "$(dirname "$0")/.."
said=$(mktemp)
trap 'rm -f "$said"' EXIT
held() {
    .venv/bin/python -m pytest -p no:cacheprovider --nbval-lax --nbval-current-env \
        --nbval-cell-timeout 600 notebooks >"$said" 2>&1 && cat "$said"
}
if held; then exit 0; fi
cat "$said"
grep -q "Failed to interrupt kernel" "$said" || exit 1
echo "A kernel did not answer; the notebooks once more."
held || { cat "$said"; exit 1; }
