"""What side-by-side benchmarks share: seeded data, what one command took, and tables.

Knows no store and no tool. Times belong to the reader: nothing here asserts one.
"""

import hashlib
import os
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv" / "bin"
MIB = 1 << 20
# Longest that one command may take, in seconds: one that hangs is a finding, not a wait.
DEADLINE = 1800


@dataclass
class Took:
    """One run of a command."""

    wall: float
    cpu: float
    peak_mib: float
    server_cpu: float


def fill(folder, count, size, seed):
    """Writes `count` files of `size` bytes, 200 to a folder, the same for the same seed."""
    generator = random.Random(seed)
    for number in range(count):
        path = Path(folder) / f"d{number // 200:03}" / f"f{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            left = size
            while left:
                block = generator.randbytes(min(left, MIB))
                file.write(block)
                left -= len(block)


def digests(folder):
    """BLAKE2 of every file, by its path below the folder."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = Path(at) / name
            with open(path, "rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "blake2b").hexdigest()
    return found


def run(command, environment, log, server_pid):
    """Runs a command to its end; one that fails ends the benchmark."""
    before = cpu_of(server_pid)
    begin, peak = time.monotonic(), 0
    with open(log, "ab") as output:
        child = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - begin > DEADLINE:
                child.kill()
                raise SystemExit(f"{command[0]} was still running after {DEADLINE} s; its output is in {log}")
            peak = max(peak, peak_kib(child.pid))
            time.sleep(0.005)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begin
    if child.returncode != 0:
        tail = Path(log).read_text(errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{tail}")
    cpu = usage.ru_utime + usage.ru_stime
    return Took(wall, cpu, peak / 1024, cpu_of(server_pid) - before)


def peak_kib(pid):
    """Peak memory so far; what `wait4` tells includes this script's own, from before the command began."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) if lines else 0


def cpu_of(pid):
    """CPU seconds of a process so far, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_ports(count):
    """Ports that nobody listens on now; all are held until all are known."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)


def table(title, took):
    """A table of medians: `took` has a list of runs by name."""
    print(f"\n### {title}\n")
    print("| | wall s | CPU s | peak MiB | server CPU s |")
    print("|---|---|---|---|---|")
    for name, runs in took.items():
        median = [statistics.median(getattr(one, field) for one in runs) for field in Took.__dataclass_fields__]
        print(f"| {name} | {median[0]:.2f} | {median[1]:.2f} | {median[2]:.0f} | {median[3]:.1f} |")
    sys.stdout.flush()


def roomy():
    """Tools that open many files at once need more than some shells allow."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
