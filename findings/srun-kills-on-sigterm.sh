#!/usr/bin/env bash
# srun answers SIGTERM by killing its tasks at once, with SIGKILL.
#
# Expected: "Signals sent to the srun command are automatically forwarded to the tasks it is
#   controlling with a few exceptions" (srun(1), which names those of ctrl+c only). So a batch script
#   may pass on the SIGTERM of `sbatch --signal=B:TERM@120` by `kill -TERM` to its srun, as it does
#   to any other program, and the tasks save a checkpoint.
# Observed with Slurm 22.05.8 (Debian 12): SIGUSR1 reaches the task. After SIGTERM, srun says
#   "forcing job termination", the task gets SIGKILL without a SIGTERM before it, and srun ends with
#   137. `scancel --signal=TERM JOB` reaches the task, which ends as it wants.
#
# Needs Debian 12 or one that has its packages for apt-get download, as it installs nothing: a
# controller and a node run from a temporary folder, on the loopback interface, for a minute. Exits
# with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
started=()
stop() { kill "${started[@]}" 2>/dev/null || true; wait; rm -rf "$folder"; }
trap stop EXIT

cd "$folder"
mkdir debs root state spool
(cd debs && apt-get -qq download slurmctld slurmd slurm-client slurm-wlm-basic-plugins libmunge2 \
    libhwloc15 liblua5.1-0 2>/dev/null)
for package in debs/*.deb; do dpkg -x "$package" root; done
library=$(dirname "$(find "$folder/root" -path '*slurm-wlm/auth_none.so')")
export LD_LIBRARY_PATH="$library:$(dirname "$library")" SLURM_CONF="$folder/slurm.conf"
export PATH="$folder/root/usr/bin:$folder/root/usr/sbin:$PATH"
host=$(hostname -s)
cat >slurm.conf <<CONF
ClusterName=loop
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=36817
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/none
CredType=cred/none
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/controller.pid
SlurmdPidFile=$folder/node.pid
PluginDir=$library
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
KillWait=30
CommunicationParameters=NoInAddrAny
NodeName=node NodeHostname=$host NodeAddr=127.0.0.1 Port=36818 CPUs=1 State=UNKNOWN
PartitionName=main Nodes=node Default=YES State=UP
CONF
slurmctld-wlm -c -D 2>controller.log &
started+=($!)
sleep 2
slurmd-wlm -D -N node -d "$folder/root/usr/sbin/slurmstepd-wlm" 2>node.log &
started+=($!)
until sinfo -h -o %T 2>/dev/null | grep -q '^idle$'; do sleep 0.5; done

cat >task.sh <<'TASK'
trap 'echo "the task got SIGUSR1"; exit 10' USR1
trap 'echo "the task got SIGTERM"; exit 15' TERM
echo "$SLURM_JOB_ID" > job
while :; do sleep 0.1; done
TASK

seen=""
try() {  # a name, and what signals the task of srun $run in job $(cat job)
    rm -f job
    srun bash task.sh >output 2>&1 &
    run=$!
    until [ -s job ]; do sleep 0.2; done
    eval "$2"
    status=0
    wait "$run" || status=$?
    said=$(grep -o 'the task got SIG[A-Z0-9]*' output || echo "the task got no signal that it could handle")
    echo "$1: $said; srun ended with $status"
    seen="$seen$status:$said
"
}

echo "$(srun --version)"
try "kill -USR1 srun       " 'kill -USR1 "$run"'
try "kill -TERM srun       " 'kill -TERM "$run"'
try "scancel --signal=TERM " 'scancel --signal=TERM "$(cat job)"'

[ "$seen" = "10:the task got SIGUSR1
137:the task got no signal that it could handle
15:the task got SIGTERM
" ]
