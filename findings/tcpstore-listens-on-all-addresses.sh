#!/usr/bin/env bash
# The store of torch.distributed listens on every address of the machine, whichever one is given.
#
# Expected: TCPStore("127.0.0.1", port, is_master=True), init_process_group("tcp://127.0.0.1:…") and
#   `torchrun --standalone` can be reached from this machine only: the first argument is documented
#   as the host that the server store runs on.
# Observed with torch 2.15.0: the socket that listens is bound to all addresses ([::]), with libuv and
#   without, so that rendezvous and collectives, which know no authentication, are open to the
#   network. A socket of one's own, handed over as master_listen_fd, stays at its address.
#
# Needs Linux, Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU)
# and a package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMP_NUM_THREADS=1

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.15.0 numpy==2.4.6

cat >"$folder/listening.py" <<'PYTHON'
import ipaddress
import os
import sys
from pathlib import Path


def listening(port):
    """Return the addresses on which a port of this machine is listened on."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            words = line.split()
            address, _, number = words[1].partition(":")
            if words[3] == "0A" and int(number, 16) == port:
                raw = bytes.fromhex(address)
                parts = [raw[i : i + 4][::-1] for i in range(0, len(raw), 4)]
                found.add(str(ipaddress.ip_address(b"".join(parts))))
    return sorted(found)


if __name__ == "__main__":  # as a process of torchrun
    print(*listening(int(os.environ["MASTER_PORT"])))
PYTHON

cat >"$folder/stores.py" <<'PYTHON'
import socket
import subprocess
import sys

import torch
import torch.distributed as dist
from listening import listening

HERE = "127.0.0.1"


def free_port():
    with socket.create_server((HERE, 0)) as server:
        return server.getsockname()[1]


print(f"torch {torch.__version__}")
seen = {}
for libuv in (True, False):
    store = dist.TCPStore(HERE, 0, is_master=True, wait_for_workers=False, use_libuv=libuv)
    seen[f"TCPStore, use_libuv={libuv}"] = listening(store.port)

port = free_port()
dist.init_process_group("gloo", init_method=f"tcp://{HERE}:{port}", rank=0, world_size=1)
seen["init_process_group"] = listening(port)

torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "listening.py"]
ran = subprocess.run(torchrun, check=True, stdout=subprocess.PIPE, text=True)
seen["torchrun --standalone"] = ran.stdout.split()

server = socket.create_server((HERE, 0))
own = dist.TCPStore(HERE, server.getsockname()[1], is_master=True, wait_for_workers=False,
                    master_listen_fd=server.detach())
seen["TCPStore, master_listen_fd"] = listening(own.port)

for name, addresses in seen.items():
    print(f"{name:26} 127.0.0.1 given, listens on {', '.join(addresses)}")
expected = {name: ["127.0.0.1" if "listen_fd" in name else "::"] for name in seen}
raise SystemExit(seen != expected)
PYTHON

cd "$folder"
"$folder/venv/bin/python" stores.py
