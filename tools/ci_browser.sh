#!/bin/sh
# In CI only: install Debian's Chromium, so that the browser tests run there rather than skip.
[ "${CI:-}" = true ] && ! command -v chromium >/dev/null && command -v apt-get >/dev/null || exit 0
apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null
