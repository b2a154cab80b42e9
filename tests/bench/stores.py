"""Where data is moved from and to: folders of this machine, a bucket of SeaweedFS, a folder of vsftpd, a bucket of
the tests' OSS server. Each is filled and looked at by means of its own, never by a tool that's compared.
"""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import common

ACCESS_KEY, SECRET = "bench", "bench-secret-5f3a"
FTP_PASSWORD = "bench_word"
# Debian's `daemon`, whom vsftpd becomes.
DAEMON = 1
# Until a server answers, in seconds.
READY = 60
# Requests of the filling and checking client at one time.
AT_ONCE = 16
FTP_SERVER = common.ROOT / "target/tools/ftp"


class Folder:
    """A folder of this machine, in memory unless the benchmark was told another place."""

    kind = "local"
    pids = ()

    def __init__(self, path):
        self.path = Path(path)

    def fill(self, data):
        """Takes the data as they are: whoever reads a folder reads the original."""
        self.empty()
        self.path.symlink_to(data)

    def empty(self):
        if self.path.is_symlink():
            self.path.unlink()
        shutil.rmtree(self.path, ignore_errors=True)

    def make(self):
        self.empty()
        self.path.mkdir(parents=True)

    def digests(self):
        return common.digests(self.path)

    def requests(self):
        return None

    def end(self):
        self.empty()


class Server:
    """A child process that listens on loopback."""

    def __init__(self, command, folder, environment=None):
        self.log = open(Path(folder) / "server.log", "wb")
        self.child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        self.pids = (self.child.pid,)

    def wait_for(self, is_ready):
        begin = time.monotonic()
        while True:
            try:
                if is_ready():
                    return
            except Exception:  # Whatever it is, it isn't ready.
                pass
            if self.child.poll() is not None or time.monotonic() - begin > READY:
                sys.exit(f"{self.child.args[0]} isn't ready; its log is {self.log.name}")
            time.sleep(0.05)

    def requests(self):
        return None

    def end(self):
        # Sessions of vsftpd are processes of their own.
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        self.log.close()


class Bucket:
    """One bucket of a server."""

    kind = "s3"

    def __init__(self, server, name):
        self.server, self.name, self.pids = server, name, server.pids

    def fill(self, data):
        self.make()
        files = [path for path in Path(data).rglob("*") if path.is_file()]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            put = lambda path: self.server.client.upload_file(str(path), self.name, str(path.relative_to(data)))
            list(pool.map(put, files))

    def keys(self):
        pages = self.server.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def make(self):
        self.empty()
        self.server.client.create_bucket(Bucket=self.name)

    def empty(self):
        names = [bucket["Name"] for bucket in self.server.client.list_buckets()["Buckets"]]
        if self.name not in names:
            return
        # SeaweedFS drops a bucket with all that's in it.
        self.server.client.delete_bucket(Bucket=self.name)

    def digests(self):
        def digest(key):
            body = self.server.client.get_object(Bucket=self.name, Key=key)["Body"]
            hasher = hashlib.blake2b()
            for block in body.iter_chunks(common.MIB):
                hasher.update(block)
            return key, hasher.hexdigest()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(pool.map(digest, self.keys()))

    def requests(self):
        return self.server.requests()

    def end(self):
        self.empty()


class Seaweed(Server):
    """SeaweedFS with authentication on."""

    def __init__(self, folder):
        import boto3
        from botocore.config import Config

        folder = Path(folder)
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "bench", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET}], "actions": actions}
        (folder / "identities.json").write_text(json.dumps({"identities": [identity]}))
        ports = common.free_ports(9)
        self.metrics = ports[8]
        command = [common.VENV / "weed", "server", f"-dir={folder}", "-s3", f"-s3.config={folder}/identities.json"]
        command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-volume.max=400"]
        command += ["-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=1024"]
        command += [f"-metricsPort={self.metrics}", "-metricsIp=127.0.0.1"]
        for name, pair in zip(["master", "volume", "filer", "s3"], zip(ports[:8:2], ports[1:8:2])):
            command += [f"-{name}.port={pair[0]}", f"-{name}.port.grpc={pair[1]}"]
        self.endpoint = f"http://127.0.0.1:{ports[6]}"
        self.client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=2 * AT_ONCE),
        )
        super().__init__(command, folder)
        self.wait_for(lambda: self.client.list_buckets() is not None)

    def requests(self):
        """S3 requests so far, by its own count."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=10).read().decode()
        lines = [line for line in text.splitlines() if line.startswith("SeaweedFS_s3_request_total")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines) if lines else None


class Ftp(Server):
    """vsftpd in clear, of Debian's package that `tests/run` unpacks; its root is in memory."""

    kind = "ftp"

    def __init__(self, folder):
        folder = Path(folder)
        for below in ("root", "empty"):
            (folder / below).mkdir()
        folder.chmod(0o755)
        self.path = folder / "root/files"
        (folder / "passwords").write_text(f"{FTP_PASSWORD}\n")
        (self.port,) = common.free_ports(1)
        (folder / "config").write_text(
            f"listen=YES\nlisten_address=127.0.0.1\nlisten_port={self.port}\nbackground=NO\nanonymous_enable=YES\n"
            f"ftp_username=daemon\nanon_root={folder}/root\nsecure_email_list_enable=YES\n"
            f"email_password_file={folder}/passwords\nanon_world_readable_only=NO\n"
            f"secure_chroot_dir={folder}/empty\nseccomp_sandbox=NO\nxferlog_enable=NO\n"
        )
        libraries = [str(FTP_SERVER / below) for below in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")]
        command = [FTP_SERVER / "usr/sbin/vsftpd", folder / "config"]
        super().__init__(command, folder, {"LD_LIBRARY_PATH": ":".join(libraries)})
        self.wait_for(self.greets)

    def greets(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            return connection.recv(3) == b"220"

    def fill(self, data):
        self.empty()
        shutil.copytree(data, self.path)
        for path in [self.path, *self.path.rglob("*")]:
            os.chown(path, DAEMON, DAEMON)

    def empty(self):
        shutil.rmtree(self.path, ignore_errors=True)


class OssBucket(Server):
    """One bucket of the OSS server of the tests. It's Python's http.server, so it is the limit: client CPU counts."""

    kind = "oss"
    name = "bench"

    def __init__(self, folder):
        folder = Path(folder)
        self.data = folder / "data"
        settings = {"keys": {ACCESS_KEY: {"secret": SECRET}}, "buckets": [self.name]}
        program = common.ROOT / "tests/harness/oss/server.py"
        super().__init__([common.VENV / "python", program, self.data, json.dumps(settings)], folder)
        self.wait_for(lambda: Path(self.log.name).read_text().strip().isdigit())
        self.endpoint = f"http://127.0.0.1:{Path(self.log.name).read_text().strip()}"

        import oss2

        self.client = oss2.Bucket(oss2.Auth(ACCESS_KEY, SECRET), self.endpoint, self.name, is_path_style=True)

    def keys(self):
        import oss2

        return [item.key for item in oss2.ObjectIterator(self.client)]

    def make(self):
        self.empty()

    def empty(self):
        for key in self.keys():
            self.client.delete_object(key)

    def digests(self):
        return {key: hashlib.blake2b(self.client.get_object(key).read()).hexdigest() for key in self.keys()}
