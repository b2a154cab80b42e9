"""What the benchmarks share: seeded data, digests, and what one command took.

Knows no store and no tool. Times belong to the reader: nothing here asserts one.
"""

import hashlib
import math
import os
import random
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv" / "bin"
MIB = 1 << 20
# Longest that one command may take, in seconds: one that hangs is a finding, not a wait.
DEADLINE = 1800
# How often a command's memory is looked at, in seconds.
LOOK = 0.005


@dataclass
class Took:
    """One run of a command: seconds, MiB, and what the server did meanwhile."""

    wall: float
    cpu: float
    peak_mib: float
    server_cpu: float
    requests: float | None = None


def fill(folder, sizes, seed):
    """Writes files of these sizes in bytes, 200 to a folder, the same for the same seed."""
    generator = random.Random(seed)
    for number, size in enumerate(sizes):
        path = Path(folder) / f"d{number // 200:03}" / f"f{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            left = size
            while left:
                block = generator.randbytes(min(left, MIB))
                file.write(block)
                left -= len(block)


def spread(count, least, most, total, seed):
    """`count` sizes between two bounds, evenly on a logarithmic scale, `total` bytes together."""
    generator = random.Random(seed)
    drawn = [math.exp(generator.uniform(math.log(least), math.log(most))) for _ in range(count)]
    scale = total / sum(drawn)
    return [max(least, min(most, int(size * scale))) for size in drawn]


def digests(folder):
    """BLAKE2 of every file, by its path below the folder."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = Path(at) / name
            with open(path, "rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "blake2b").hexdigest()
    return found


def run(command, environment, log, servers=()):
    """Runs a command to its end; one that fails ends the benchmark. `servers` are pids whose CPU time is told."""
    before = sum(map(cpu_of_family, servers))
    begin, peak = time.monotonic(), 0
    command = [str(part) for part in command]
    with open(log, "ab") as output:
        told = {**os.environ, **environment}
        child = subprocess.Popen(command, env=told, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - begin > DEADLINE:
                child.kill()
                raise SystemExit(f"{command[0]} was still running after {DEADLINE} s; its output is in {log}")
            peak = max(peak, peak_kib(child.pid))
            time.sleep(LOOK)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begin
    if child.returncode != 0:
        tail = Path(log).read_text(errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}:\n{tail}")
    cpu = usage.ru_utime + usage.ru_stime
    return Took(wall, cpu, peak / 1024, sum(map(cpu_of_family, servers)) - before)


def peak_kib(pid):
    """Peak memory so far; what `wait4` tells includes this script's own, from before the command began."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) if lines else 0


def cpu_of_family(pid):
    """CPU seconds so far of a process and its children, those that have ended included."""
    total, ticks = 0, os.sysconf("SC_CLK_TCK")
    for one in [pid, *children_of(pid)]:
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / ticks


def children_of(pid):
    found = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = [int(child) for child in tasks.read_text().split()]
        except OSError:
            continue
        for child in below:
            found += [child, *children_of(child)]
    return found


def free_ports(count):
    """Ports that nobody listens on now; all are held until all are known."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def memory(stack):
    """A file system in memory whose page cache has large folios, as those of ext4 and XFS have: with pages of 4 KiB
    the kernel's work for each page hides everything else. /dev/shm where it can't be mounted (no root, old kernel).
    """
    folder = tempfile.mkdtemp(prefix="culvert-bench-")
    stack.callback(os.rmdir, folder)
    options = ["-t", "tmpfs", "-o", "huge=within_size,size=75%,mode=755", "tmpfs", folder]
    if subprocess.run(["mount", *options], stderr=subprocess.DEVNULL).returncode != 0:
        return "/dev/shm"
    stack.callback(subprocess.run, ["umount", folder], check=True)
    return folder


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)


def roomy():
    """Tools that open many files at once need more than some shells allow."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
