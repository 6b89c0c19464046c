#!/bin/sh
# Runs every fuzz target of a build for some seconds, over a copy of its corpus, and fails when one
# crashes, leaks or hangs; the input that did it is kept and named.
#
#     tests/fuzz/run.sh BUILD_DIR SECONDS [TARGET ...]
set -eu

if [ $# -lt 2 ]; then
    echo "usage: $0 BUILD_DIR SECONDS [TARGET ...]" >&2
    exit 2
fi
build=$1
seconds=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
found=$build/fuzz-found
status=0
n=0

if [ $# -eq 0 ]; then
    set -- "$build"/bin/fuzz_*
    if [ ! -e "$1" ]; then
        echo "$0: no fuzz target in $build/bin: build with the preset 'fuzz'" >&2
        exit 2
    fi
fi
for target in "$@"; do
    name=$(basename "$target")
    what=${name#fuzz_}
    mkdir -p "$work/$what" "$found"
    if [ -d "$here/corpus/$what" ]; then
        cp -R "$here/corpus/$what/." "$work/$what"
    fi
    if [ "$what" = model_blob ]; then # a line of JSON, then a blob of each class
        for blob in "$here"/../golden/blobs/*.gz; do
            gzip -dc "$blob" | tail -n +2 >"$work/$what/$(basename "$blob" .gz)"
        done
    fi
    dict=
    if [ -f "$here/$what.dict" ]; then
        dict=-dict=$here/$what.dict
    fi
    if "$build/bin/$name" "$work/$what" $dict -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -artifact_prefix="$found/$name-" >"$work/$name.log" 2>&1; then
        echo "$name: ok: $(grep '^Done' "$work/$name.log" || echo 'done')"
    else
        status=1
        tail -n 40 "$work/$name.log" >&2
        echo "$name: FAILED: its input is in $found" >&2
    fi
    n=$((n + 1))
done
rm -rf "$work"
echo "$n targets, $seconds s each: $([ $status -eq 0 ] && echo 'no crash' || echo 'FAILED')"
exit $status
