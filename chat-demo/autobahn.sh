#!/usr/bin/env bash
# The Autobahn suite against the server's WebSocket transport, which echoes for it. Needs Python 2.7 with pip: the suite is
# written for it. What is installed, and the report, stand in target/autobahn.
set -euo pipefail
cd "$(dirname "$0")/.."

SUITE=autobahntestsuite==25.10.1
# The last one that makes environments for Python 2.7.
VIRTUALENV=virtualenv==20.15.1
# All but 12 and 13, which are about compression.
CASES='"1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"'
HOW_MANY=301

target="${CARGO_TARGET_DIR:-target}"
home="$PWD/target/autobahn"
python="$home/env/bin/python"

find_python() {
    local found
    for found in python2.7 "$(pyenv root 2>/dev/null || true)"/versions/2.7*/bin/python2.7; do
        # A name alone may be a stand-in that knows no such version.
        if "$found" -m pip --version >/dev/null 2>&1; then
            echo "$found"
            return
        fi
    done
    echo 'missing: Python 2.7 with pip, as python2.7 or by pyenv; install it with "pyenv install 2.7.18"' >&2
    return 1
}

if ! "$python" -c 'import autobahntestsuite' 2>/dev/null; then
    base="$(find_python)"
    rm -rf "$home/env" "$home/virtualenv"
    "$base" -m pip install -qq --target "$home/virtualenv" "$VIRTUALENV"
    PYTHONPATH="$home/virtualenv" "$base" -m virtualenv --quiet "$home/env"
    "$python" -m pip install -qq "$SUITE"
fi

cargo build --quiet --locked --release -p chat-demo
coproc SERVER { exec "$target/release/chat-demo" --echo --listen 127.0.0.1:0 --max-cpu 0 --max-memory 0; }
server=$SERVER_PID
trap 'kill "$server" 2>/dev/null || true' EXIT
address=
while [[ -z $address ]] && read -r line; do
    [[ $line == *' listening '*'url=http://'* ]] && address="${line##*http://}"
done <&"${SERVER[0]}"
[[ -n $address ]] || { echo 'the server did not start' >&2; exit 1; }

rm -rf "$home/report"
cat >"$home/spec.json" <<JSON
{
    "outdir": "$home/report",
    "servers": [{ "agent": "chat-demo", "url": "ws://$address/ws" }],
    "cases": [$CASES],
    "exclude-cases": [],
    "exclude-agent-cases": {}
}
JSON
(cd "$home" && env/bin/wstest --mode fuzzingclient --spec spec.json >wstest.log 2>&1) || { tail "$home/wstest.log" >&2; exit 1; }
kill "$server"
wait "$server" || { echo 'the server did not end well' >&2; exit 1; }

"$python" - "$home/report/index.json" "$HOW_MANY" <<'PYTHON'
import json
import sys

GOOD = ('OK', 'NON-STRICT', 'INFORMATIONAL')
path, wanted = sys.argv[1], int(sys.argv[2])
with open(path) as index:
    cases = json.load(index)['chat-demo']

failed = False
for what, key in (('messages', 'behavior'), ('closes', 'behaviorClose')):
    names = {}
    for name, case in cases.items():
        names.setdefault(case[key], []).append(name)
    for behaviour in sorted(names, key=lambda one: (one not in GOOD, one != 'OK', one)):
        failed = failed or behaviour not in GOOD
        some = sorted(names[behaviour], key=lambda name: [int(part) for part in name.split('.')])
        listed = '' if behaviour == 'OK' else ': ' + ', '.join(some)
        print('%-8s %3d %s%s' % (what, len(some), behaviour, listed))
if len(cases) != wanted:
    print('%d cases were run, not %d' % (len(cases), wanted))
sys.exit(failed or len(cases) != wanted)
PYTHON
