#!/usr/bin/env bash
# Kafka Streams on Apache Kafka beside Millrace on Millrace: see doc.go.
set -euo pipefail
export GOTOOLCHAIN=${GOTOOLCHAIN:-go1.27.4}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
anchors=$root/../shared/anchors rounds=3 cases="wordcount join" threads=1 out="" settings="" lines="200000 1000000" orders="400000 2000000"
kafka_port=19392 millrace_port=19390 only="kafka millrace" profile=""

usage() {
  cat <<TEXT
usage: compare.sh [options]
  --anchors DIR         folder of kafka.sh, whose 'fetch' has been run (default $anchors)
  --rounds N            runs per case and arm, arms alternated (default $rounds)
  --cases "A B"         of wordcount and join (default "$cases")
  --arms "A B"          of kafka and millrace (default "$only")
  --lines "N M"         lines of wordcount; the difference of two sizes says what a line costs a warm process (default "$lines")
  --orders "N M"        orders of join, likewise (default "$orders")
  --threads N           threads of the application (default $threads)
  --settings a=b,c=d    more settings of Kafka Streams, as producer.batch.size=131072
  --kafka-port P        ports P and P+1 (default $kafka_port)
  --millrace-port P     (default $millrace_port)
  --profile FILE        a CPU profile of the last run of our application
  --out FILE            where a line of JSON per run is appended (default: a temporary file)
TEXT
  exit 2
}

while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --anchors) anchors=$2 ;; --rounds) rounds=$2 ;; --cases) cases=$2 ;; --arms) only=$2 ;; --lines) lines=$2 ;; --orders) orders=$2 ;;
    --threads) threads=$2 ;; --settings) settings=$2 ;; --kafka-port) kafka_port=$2 ;; --millrace-port) millrace_port=$2 ;;
    --profile) profile=$2 ;; --out) out=$2 ;; *) usage ;;
  esac
  shift 2
done

fetched=${ANCHORS_HOME:-$HOME/.cache/millrace-anchors}
[ -s "$fetched/classpath" ] || { echo "run '$anchors/kafka.sh fetch' first" >&2; exit 1; }
work=$(mktemp -d)
out=${out:-$work/outcomes}

# Kafka's own folder of state, so that this disturbs no other broker started by kafka.sh.
mkdir -p "$work/anchors" "$work/classes" "$work/state"
ln -s "$fetched/bin" "$fetched/classpath" "$work/anchors/"
export ANCHORS_HOME=$work/anchors

millrace_pid=""
finish() {
  [ -z "$millrace_pid" ] || { kill -TERM "$millrace_pid" 2>/dev/null && wait "$millrace_pid"; } || true
  [[ $only != *kafka* ]] || "$anchors/kafka.sh" wipe >&2 || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

(cd "$root" && go build -o "$work/millrace" ./runtime/cmd/millrace && go build -o "$work/compare" ./streams/compare)
log4j=$work/log4j2.properties
printf 'appender.o.type=Console\nappender.o.name=o\nrootLogger.level=WARN\nrootLogger.appenderRef.o.ref=o\n' >"$log4j"
classpath=$(cat "$ANCHORS_HOME/classpath")

kafka_pid=""
if [[ $only == *kafka* ]]; then
  javac -d "$work/classes" -cp "$classpath" "$here/KafkaStreamsApp.java"
  "$anchors/kafka.sh" start --port "$kafka_port" >&2
  kafka_pid=$("$anchors/kafka.sh" pids | tr -dc '0-9')
fi
if [[ $only == *millrace* ]]; then
  "$work/millrace" start --durability replicated --kafka-listen "127.0.0.1:$millrace_port" --http-listen off \
    --data-dir "$work/data" 2>"$work/millrace.log" &
  millrace_pid=$!
  "$anchors/kafka.sh" loadgen ready --brokers "127.0.0.1:$millrace_port" --pid "$millrace_pid" >&2 || { cat "$work/millrace.log" >&2; exit 1; }
fi

measure() { # measure ARM CASE RECORDS
  case $1 in
    kafka)
      "$work/compare" run --arm "kafka" --case "$2" --brokers "127.0.0.1:$kafka_port" --pid "$kafka_pid" --records "$3" --threads "$threads" -- \
        java -Xms1G -Xmx1G -Dlog4j2.configurationFile="$log4j" -Dcompare.state="$work/state" -Dcompare.settings="$settings" \
        -cp "$work/classes:$classpath" KafkaStreamsApp ;;
    millrace)
      "$work/compare" run --arm millrace --case "$2" --brokers "127.0.0.1:$millrace_port" --pid "$millrace_pid" --records "$3" --threads "$threads" -- \
        "$work/compare" app ${profile:+--cpuprofile "$profile"} ;;
  esac | tee -a "$out"
  sync
}

for _ in $(seq "$rounds"); do
  for kind in $cases; do
    sizes=$lines
    [ "$kind" = join ] && sizes=$orders
    for size in $sizes; do
      for arm in $only; do measure "$arm" "$kind" "$size"; done
    done
  done
done
"$work/compare" table "$out"
