#!/bin/sh
# Checks and measures a graphics card in under ten minutes: sh bench/gpu.sh [NAME]
#
# It installs what a bare machine lacks: Deno and a Vulkan driver (setup.sh) and, beside an NVIDIA
# card, PyTorch with CUDA. Then it runs the gradient checks, the parity tests and the benchmarks, and
# writes the results to NAME.json and NAME.md (runs/gpu.json and runs/gpu.md by default). On a machine
# without a card it measures the software GPU, in fewer rounds.
set -eu

began=$(date +%s)
cd "$(dirname "$0")/.."

say() { printf 'gpu: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
torch_has_cuda() { python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; }

if have nvidia-smi && nvidia-smi >/dev/null 2>&1; then
  card=nvidia
else
  card=none
fi

# Containers often have NVIDIA's libraries, but not where the Vulkan loader looks for drivers.
if [ "$card" = nvidia ] && [ -z "${VK_DRIVER_FILES:-}" ]; then
  found=$(find /etc/vulkan /usr/share/vulkan -name 'nvidia_icd*.json' 2>/dev/null | head -n 1)
  if [ -z "$found" ]; then
    found=$(find /usr/local /opt -name 'nvidia_icd*.json' 2>/dev/null | head -n 1)
    if [ -z "$found" ]; then
      found=$(mktemp -d)/nvidia_icd.json
      printf '%s' '{"file_format_version": "1.0.0", "ICD": {"library_path":' \
        '"libGLX_nvidia.so.0", "api_version": "1.3"}}' >"$found"
    fi
    export VK_DRIVER_FILES="$found"
    say "using the Vulkan driver of $found"
  fi
fi

sh setup.sh

if [ "$card" = nvidia ] && ! torch_has_cuda; then
  packages=$(mktemp -d)
  say "installing PyTorch into $packages"
  if have python3 && timeout 240 python3 -m pip install --quiet --target "$packages" torch; then
    export PYTHONPATH="$packages${PYTHONPATH:+:$PYTHONPATH}"
  fi
  torch_has_cuda || say "there is no PyTorch with CUDA; its columns will be missing"
fi

exec deno run -A bench/gpu_report.ts --began "$began" --card "$card" "${1:-runs/gpu}"
