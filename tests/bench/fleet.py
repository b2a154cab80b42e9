"""One agent beside three on one run, where each request takes 20 ms: does a fleet scale?

    cargo build --release && .venv/bin/python tests/bench/fleet.py

Moves 20,000 small files from a folder to SeaweedFS through a relay that delivers what a client sends 20 ms later, as a
leased line would, first by one agent of 8 workers, then by three, in turns. Prints medians and their ratio, and writes
`target/bench/fleet.json`. Each result is held against the source, byte by byte; each object was moved once.

Needs `tests/run` to have run once. On two cores the relay, the store and three engines share them: run it on a quiet
machine.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import common
from stores import ACCESS_KEY, SECRET, Bucket, Seaweed, Server

WORKERS = 8
# What the relay adds to each request, in seconds.
LATENCY = 0.020
# Longest that a run may take, in seconds.
DEADLINE = 600


class Relay:
    """TCP to a server; what goes there arrives `LATENCY` later, in its order."""

    def __init__(self, server):
        self.server = server
        (self.port,) = common.free_ports(1)
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self.run, args=(ready,), daemon=True).start()
        ready.wait()

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self.connected, "127.0.0.1", self.port))
        ready.set()
        self.loop.run_forever()

    async def connected(self, reader, writer):
        back, onward = await asyncio.open_connection("127.0.0.1", self.server)
        await asyncio.gather(self.later(reader, onward), self.at_once(back, writer))

    async def later(self, reader, onward):
        try:
            while data := await reader.read(1 << 16):
                self.loop.call_later(LATENCY, onward.write, data)
        except ConnectionError:
            pass
        self.loop.call_later(LATENCY, onward.close)

    async def at_once(self, reader, writer):
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()


class Nats(Server):
    """The fleet's server."""

    def __init__(self, folder):
        folder.mkdir()
        (self.port,) = common.free_ports(1)
        command = [common.VENV / "nats-server", "-js", "-a", "127.0.0.1", "-p", self.port, "-sd", folder / "store"]
        super().__init__(command, folder)
        self.wait_for(lambda: "Server is ready" in (folder / "server.log").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", type=Path, default=common.ROOT / "target/release/engine")
    parser.add_argument("--out", type=Path, default=common.ROOT / "target/bench")
    asked = parser.parse_args()
    common.roomy()
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="culvert-bench-", dir="/dev/shm") as work:
        work = Path(work)
        (work / "seaweed").mkdir()
        store, nats = Seaweed(work / "seaweed"), Nats(work / "nats")
        try:
            took = compared(asked, work, store, nats)
        finally:
            nats.end()
            store.end()
    one, three = (statistics.median(took[agents]) for agents in (1, 3))
    print(f"{asked.files} objects, {WORKERS} workers an agent, {1000 * LATENCY:.0f} ms a request, {asked.rounds} rounds")
    print(f"1 agent {one:.1f} s, 3 agents {three:.1f} s: {one / three:.2f} of one")
    (asked.out / "fleet.json").write_text(json.dumps({"files": asked.files, "seconds": took}, indent=1))


def compared(asked, work, store, nats):
    data = work / "data"
    common.fill(data, [4096] * asked.files, seed=7)
    expected = common.digests(data)
    relay = Relay(int(store.endpoint.rsplit(":", 1)[1]))
    bucket = Bucket(store, "fleet")
    took = {1: [], 3: []}
    for turn in range(asked.rounds):
        for agents in (1, 3) if turn % 2 == 0 else (3, 1):
            bucket.make()
            pipeline = described(work / f"run-{turn}-{agents}.toml", data, relay.port, bucket)
            seconds, moved = run(asked, work, pipeline, nats, agents)
            if bucket.digests() != expected:
                raise SystemExit(f"{agents} agents left something else at the sink than there is at the source")
            if sorted(moved) != sorted(expected):
                raise SystemExit(f"{agents} agents moved {len(moved)} objects, {len(set(moved))} of them different")
            took[agents].append(seconds)
            print(f"{agents} agents: {seconds:.1f} s", flush=True)
    return took


def described(path, data, port, bucket):
    ends = f'[source]\nconnector = "local"\npath = "{data}"\n[sink]\nconnector = "s3"\nbucket = "{bucket.name}"\n'
    ends += f'endpoint = "http://127.0.0.1:{port}"\nforce_path_style = true\nordered_listing = false\n'
    ends += f'access_key_id = "{ACCESS_KEY}"\nsecret_access_key = "{SECRET}"\n'
    path.write_text(f'name = "{path.stem}"\n[tunnel]\n[transfer]\nworkers = {WORKERS}\n{ends}')
    return path


def run(asked, work, pipeline, nats, agents):
    """Seconds until the last agent has ended, and all keys that they say they moved."""
    states = [work / f"agent-{number}" for number in range(agents)]
    for state in states:
        # Compiled connectors are there on any machine that has run once.
        command = [asked.engine, "plan", pipeline, "--state-dir", state]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begin, children, logs = time.monotonic(), [], []
    for number, state in enumerate(states):
        logs.append(state / f"{pipeline.stem}.events")
        command = [asked.engine, "run", "--json", pipeline, "--state-dir", state]
        told = {**os.environ, "CULVERT_FLEET": f"nats://127.0.0.1:{nats.port}", "CULVERT_AGENT": f"agent-{number}"}
        children.append(subprocess.Popen([str(part) for part in command], env=told, stdout=open(logs[-1], "wb")))
    for child in children:
        if child.wait(timeout=DEADLINE) != 0:
            raise SystemExit(f"an agent ended with {child.returncode}; its events are in {logs}")
    seconds = time.monotonic() - begin
    events = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    return seconds, [event["key"] for event in events if event.get("event") == "moved"]


if __name__ == "__main__":
    main()
