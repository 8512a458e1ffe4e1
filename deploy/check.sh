#!/usr/bin/env bash
# Checks the files of this folder without running them. Reports each check that lacks its tool, and
# fails if a file is wrong.
set -euo pipefail
cd "$(dirname "$0")"

folder="$(mktemp -d)"
trap 'rm -r "$folder"' EXIT
wrong=0

# check WHAT COMMAND...: shows the output of the command if it fails.
check() {
    local what="$1"; shift
    if "$@" >"$folder/said" 2>&1; then echo "ok: $what"; else echo "WRONG: $what"; cat "$folder/said"; wrong=1; fi
}

# has WHAT TOOL HOW: succeeds if the tool for a check is installed.
has() {
    command -v "$2" >/dev/null && return
    echo "not checked: $1: $2 is missing; install it with '$3'"
    return 1
}

for script in *.sh; do check "$script parses" bash -n "$script"; done
if has "style of scripts" shellcheck "apt-get install shellcheck"; then
    check "style of scripts" shellcheck ./*.sh
fi

if has "prometheus.yml, alerts.yml" promtool "apt-get install prometheus"; then
    check "prometheus.yml, alerts.yml" promtool check config prometheus.yml
    check "alerts fire" promtool test rules alerts_test.yml
fi

if has "haproxy.cfg" haproxy "apt-get install haproxy"; then
    check "haproxy.cfg" haproxy -c -f haproxy.cfg
fi

if has "systemd/" systemd-analyze "apt-get install systemd"; then
    # The check must pass without an installed binary.
    sed 's,^ExecStart=.*,ExecStart=/bin/true,' 'systemd/chat-demo@.service' >"$folder/chat-demo@.service"
    cp systemd/chat-demo.target "$folder"
    # systemd-analyze only warns about unknown keys, and also about units of the system.
    systemd-analyze verify --man=no "$folder/chat-demo@node-1.service" "$folder/chat-demo.target" 2>&1 \
        | grep chat-demo >"$folder/units" || true
    check "systemd/" diff /dev/null "$folder/units"
fi

if has "redis.conf" redis-server "apt-get install redis-server"; then
    # redis-server exits at once on a bad file, and with success on SIGTERM.
    check "redis.conf" timeout --preserve-status 2 redis-server redis.conf --port 0 --unixsocket "$folder/redis" --dir "$folder"
fi

if has "dashboard" jq "apt-get install jq"; then
    check "dashboard is JSON" jq empty ../chat-demo/grafana.json
fi

if has "kubernetes.yaml" kubernetes-validate "pipx install kubernetes-validate"; then
    check "kubernetes.yaml" kubernetes-validate --strict --quiet kubernetes.yaml
fi

if docker compose version >/dev/null 2>&1; then
    check "compose.yaml" docker compose -f compose.yaml config --quiet
else
    echo "not checked: compose.yaml: 'docker compose' is missing; install it with 'apt-get install docker-compose-plugin'"
fi
if docker info >/dev/null 2>&1; then
    check "Dockerfile" docker build --check -f Dockerfile ..
else
    echo "not checked: Dockerfile: no Docker daemon; install it with 'apt-get install docker.io' and start it"
fi
exit $wrong
