#!/usr/bin/env bash
# Three processes of the example form a group, and print the same BCASTs in the same order:
# ctests/members.sh <command of the example>. The last line is `N passed, N failed`.
set -uo pipefail
member=("$@")
work=$(mktemp -d)
passed=0 failed=0 pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done; rm -rf "$work"' EXIT

check() {
  local what=$1
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $what"; fi
}

# Waits until a file has this line, at most a minute.
await() {
  for _ in $(seq 600); do
    grep -qx "$1" "$2" 2>/dev/null && return 0
    sleep 0.1
  done
  echo "no line '$1' in $2:"
  cat "$2"
  return 1
}

# Ports that nobody listens on just now.
ports() {
  python3 -c 'import socket
s = [socket.socket() for _ in range(3)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])'
}

read -r a b c < <(ports)
peers=("peer=2@127.0.0.1:$b peer=3@127.0.0.1:$c" "peer=1@127.0.0.1:$a peer=3@127.0.0.1:$c"
  "peer=1@127.0.0.1:$a peer=2@127.0.0.1:$b")
listen=("$a" "$b" "$c")
for i in 0 1 2; do
  mkfifo "$work/in$i"
  "${member[@]}" "id=$((i + 1)) listen=127.0.0.1:${listen[i]} ${peers[i]}" \
    <"$work/in$i" >"$work/out$i" 2>"$work/err$i" &
  pids+=($!)
done
exec 5>"$work/in0" 6>"$work/in1" 7>"$work/in2"

for i in 0 1 2; do
  check "member $((i + 1)) sees three" await 'view [0-9]*: [123], [123], [123]' "$work/out$i"
done
for n in $(seq 20); do
  echo "line $n" >&5
  echo "line $n" >&6
  echo "line $n" >&7
done
echo "+at once" >&5
for i in 0 1 2; do
  for sender in 1 2 3; do
    check "member $((i + 1)) hears $sender" await "$sender says line 20" "$work/out$i"
  done
  check "member $((i + 1)) hears the OBCAST" await "1 says at once" "$work/out$i"
  grep 'says line' "$work/out$i" >"$work/order$i"
done
check "60 lines" test "$(wc -l <"$work/order0")" -eq 60
check "one order at 1 and 2" cmp "$work/order0" "$work/order1"
check "one order at 1 and 3" cmp "$work/order0" "$work/order2"

exec 5>&-
check "member 1 ends well" wait "${pids[0]}"
for i in 1 2; do
  check "member $((i + 1)) sees two" await 'view [0-9]*: [23], [23]' "$work/out$i"
done
exec 6>&- 7>&-
check "member 2 ends well" wait "${pids[1]}"
check "member 3 ends well" wait "${pids[2]}"
pids=()
for i in 0 1 2; do
  check "no word on standard error" test ! -s "$work/err$i"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
