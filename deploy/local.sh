#!/usr/bin/env bash
# Runs the topology of compose.yaml on loopback, from the built binary: Redis, three nodes, and
# HAProxy if it is installed. CHAT_DEMO is the path of the binary. PORT is the balancer's port; the
# script also uses the next five. Ctrl-C ends everything.
set -euo pipefail
cd "$(dirname "$0")"

port="${PORT:-8080}"
chat_demo="${CHAT_DEMO:-../target/release/chat-demo}"
[ -x "$chat_demo" ] || { echo "missing: $chat_demo; build it with 'cargo build --release -p chat-demo', or set CHAT_DEMO to its path"; exit 1; }
for tool in redis-server curl setsid; do
    command -v "$tool" >/dev/null || { echo "missing: $tool; install it with 'apt-get install ${tool/setsid/util-linux}'"; exit 1; }
done

folder="$(mktemp -d)"
nodes=()
others=()

end() {
    [ $# = 0 ] && return
    kill "$@" 2>/dev/null || true
    wait "$@" || true
}

# End the nodes first: they still notify their clients through the balancer, and update Redis.
stop() {
    end "${nodes[@]}"
    end "${others[@]}"
    rm -r "$folder"
}
trap stop EXIT
trap 'exit 0' INT TERM

# start LIST NAME COMMAND...: starts a command in a session of its own, so that Ctrl-C reaches only
# this script.
start() {
    local -n started="$1"
    local name="$2"; shift 2
    setsid "$@" >"$folder/$name.log" 2>&1 &
    started+=($!)
    printf '%-8s pid %s, log %s\n' "$name" $! "$folder/$name.log"
}

ready() {
    curl --fail --silent --retry 20 --retry-delay 1 --retry-all-errors --output /dev/null "$2" || {
        echo "$1 did not become ready:"; tail -n 5 "$folder/$1.log"; exit 1
    }
}

start others redis redis-server redis.conf --bind 127.0.0.1 --port $((port + 4)) --dir "$folder"
for n in 1 2 3; do
    start nodes "node-$n" "$chat_demo" --node "node-$n" --listen "127.0.0.1:$((port + n))" --redis "redis://127.0.0.1:$((port + 4))"
done
for n in 1 2 3; do ready "node-$n" "http://127.0.0.1:$((port + n))/readyz"; done

if command -v haproxy >/dev/null; then
    for n in 1 2 3; do export "NODE_$n=127.0.0.1:$((port + n))"; done
    export BALANCER_BIND="127.0.0.1:$port" INSIDE_BIND="127.0.0.1:$((port + 5))" BALANCER_MAXCONN=1000
    start others balancer haproxy -db -f haproxy.cfg
    ready balancer "http://127.0.0.1:$port/readyz"
    echo "open http://127.0.0.1:$port; the balancer's statistics are at http://127.0.0.1:$((port + 5))/stats"
else
    echo "no balancer: install it with 'apt-get install haproxy'"
    echo "open http://127.0.0.1:$((port + 1)), :$((port + 2)) and :$((port + 3))"
fi
echo "Ctrl-C ends everything"
# Kill a node to see its clients reconnect.
wait
