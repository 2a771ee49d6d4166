#!/usr/bin/env bash
# The networks of the paper's Table 1 on a phone: exports them, runs LiteRT's benchmark tool over adb.
#
#   deploy/android/benchmark.sh BENCHMARK_MODEL [MODEL] [RUNS]
#
# BENCHMARK_MODEL is LiteRT's `benchmark_model` for android_arm64 (built from its sources, or as its
# project publishes it). MODEL is a member of the family, paper-256 by default: its weights do not
# matter for time. Needs adb with one phone attached (else set ANDROID_SERIAL) and `amesh` on PATH.
# Prints one line a network and accelerator: the average and the deviation as the tool says them.
set -euo pipefail

tool=${1:?name the benchmark_model binary}
model=${2:-paper-256}
runs=${3:-100}
folder=/data/local/tmp/amesh

command -v adb > /dev/null || { echo "adb is not installed" >&2; exit 2; }
command -v amesh > /dev/null || { echo "amesh is not on PATH" >&2; exit 2; }
[ -f "$tool" ] || { echo "$tool: no such file" >&2; exit 2; }
adb get-state > /dev/null || { echo "no phone: attach one, or set ANDROID_SERIAL" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for part in mesh lips right_eye; do
    amesh export litert --model "$model" --untrained cascade --part "$part" --precision fp16 \
        --output "$work/$part.tflite" > /dev/null
done
amesh export litert --model "$model" --untrained attention_mesh --precision fp16 \
    --output "$work/attention_mesh.tflite" > /dev/null

adb shell mkdir -p "$folder"
adb push "$tool" "$folder/benchmark_model" > /dev/null
adb shell chmod +x "$folder/benchmark_model"
echo "phone: $(adb shell getprop ro.product.model), Android $(adb shell getprop ro.build.version.release)"

for network in mesh lips right_eye attention_mesh; do
    adb push "$work/$network.tflite" "$folder/" > /dev/null
    for accelerator in "--num_threads=1" "--num_threads=4" "--use_gpu=true"; do
        # What the tool prints goes through whole where its summary line is not found.
        output=$(adb shell "$folder/benchmark_model" --graph="$folder/$network.tflite" \
            --num_runs="$runs" --warmup_runs=10 "$accelerator" 2>&1)
        summary=$(grep -E "Inference timings|Inference \(avg\)" <<< "$output" | tail -n 1 || true)
        echo "$network $accelerator: ${summary:-$output}"
    done
done
echo "The cascade is mesh + lips + 2 x right_eye."
adb shell rm -r "$folder"
