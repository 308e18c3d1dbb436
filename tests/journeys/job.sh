#!/bin/sh
# The job of the journeys: `job.sh LEDGER`. Its document (flat YAML) says what to do:
#   lines: N    numbered lines to print      pace: S   seconds to wait after every ten of them
#   gate: FILE  waits until it exists        exit: N   exit code
#   password:   printed, to prove that it is taken out of the log
# A start is one line in the ledger: that nothing ran twice is seen from outside.
set -u
printf 'start %s\n' "$pipelineRunId" >>"$1"

say() { sed -n "s/^$1: *//p" "$HYBRID_RUNNER_CONFIG" | sed 's/^"\(.*\)"$/\1/; q'; }

lines=$(say lines) pace=$(say pace) gate=$(say gate) code=$(say exit) password=$(say password)
[ -z "$password" ] || printf 'the password is %s.\n' "$password"

at=1
while [ "$at" -le "${lines:-0}" ]; do
  to=$((at + 9))
  [ "$to" -le "$lines" ] || to=$lines
  seq -f "line %.0f of $pipelineRunId" "$at" "$to"
  at=$((to + 1))
  [ -z "$pace" ] || sleep "$pace"
done

while [ -n "$gate" ] && [ ! -e "$gate" ]; do sleep 0.2; done
printf 'end %s\n' "$pipelineRunId" >>"$1"
exit "${code:-0}"
