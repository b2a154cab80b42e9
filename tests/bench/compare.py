"""`engine` beside what people would pick instead, in turns, on the same data and servers.

    cargo build --release && .venv/bin/python tests/bench/compare.py

Moves each dataset over each route with each tool that can, a warm-up and then `--rounds` turns in changing order; holds
what arrived against the source, byte by byte; moves it again unchanged. Prints medians and writes
`target/bench/{results.json,results.md,*.svg}`. With `--growth`, the engine alone: 1,000 to 1,000,000 objects, 1 to 64
workers. With `--start`, how long a run of one byte takes, with compiled connectors and without.

Needs `tests/run` to have run once; installs the peers itself. Data lies in memory (`--work`, some 14 GiB at full size),
SeaweedFS's on disk (`--server-data`). Nobody calls fsync: it's the same for all, and the disk isn't the subject.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import common
import report
import tools
from stores import Bucket, Folder, Ftp, OssBucket, Seaweed

GIB = 1 << 30
DATASETS = {
    "large": ("4 x 1 GiB", lambda scale: [int(GIB * scale)] * 4),
    "small": ("20,000 x 4 KiB", lambda scale: [4096] * int(20_000 * scale)),
    "mixed": (
        "2,000 of 1 KiB to 8 MiB",
        lambda scale: common.spread(int(2_000 * scale), 1024, 8 << 20, int(2 * GIB * scale), 11),
    ),
}
ROUTES = ["local-local", "local-s3", "s3-local", "s3-s3", "ftp-local", "ftp-s3", "local-oss"]


def main():
    asked = arguments()
    tools.install()
    tools.Engine.binary = asked.engine.resolve()
    if not tools.Engine.binary.exists():
        raise SystemExit(f"{asked.engine} isn't there: cargo build --release, or --engine")
    common.roomy()
    asked.out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        work, data = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="culvert-bench-", dir=where)))
            for where in (asked.work or common.memory(stack), asked.server_data)
        )
        work.chmod(0o755)
        if asked.start or asked.growth:
            alone(asked, work)
            return
        results = []
        for route in asked.routes:
            with ExitStack() as places:
                source, sink = prepare(places, route, work, data)
                for name in asked.datasets:
                    results += compare(asked, route, name, source, sink, work)
                    # What there is survives a benchmark that's stopped.
                    report.save(asked.out, results)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--routes", nargs="+", choices=ROUTES, default=ROUTES)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--tools", nargs="+", type=tools.check, default=[tool.name for tool in tools.ALL])
    parser.add_argument("--rounds", type=int, default=3, help="turns that count, after one that doesn't")
    parser.add_argument("--scale", type=float, default=1, help="of all datasets, for a quick look")
    parser.add_argument("--no-again", action="store_true", help="leave out the pass over unchanged data")
    parser.add_argument("--growth", action="store_true", help="the engine alone, by objects and by workers")
    parser.add_argument("--start", action="store_true", help="the engine alone, one byte")
    parser.add_argument("--engine", type=Path, default=common.ROOT / "target/release/engine")
    parser.add_argument("--work", help="where the data lies; by default in memory, in a tmpfs with large pages")
    parser.add_argument("--server-data", default=None, help="where SeaweedFS keeps its own; by default $TMPDIR")
    parser.add_argument("--out", type=Path, default=common.ROOT / "target/bench", help="where results are written")
    return parser.parse_args()


def prepare(stack, route, work, data):
    """The two places of a route, their servers running."""

    def folder(below, of=work):
        path = of / f"{route}-{below}"
        path.mkdir()
        return path

    def serve(server):
        stack.callback(server.end)
        return server

    kinds = route.split("-")
    buckets = serve(Seaweed(folder("seaweed", data))) if "s3" in kinds else None
    made = []
    for kind, end in zip(kinds, ("source", "sink")):
        if kind == "local":
            made.append(Folder(work / f"{route}-{end}"))
            stack.callback(made[-1].end)
        elif kind == "s3":
            made.append(Bucket(buckets, end))
        else:
            made.append(serve({"ftp": Ftp, "oss": OssBucket}[kind](folder(kind))))
    return made


def compare(asked, route, name, source, sink, work):
    """All tools on one route and one dataset: a result for each tool and pass."""
    title, sizes_of = DATASETS[name]
    if asked.scale != 1:
        title += f", scaled by {asked.scale:g}"
    sizes = sizes_of(asked.scale)
    original = work / "original"
    common.fill(original, sizes, seed=7)
    expected = common.digests(original)
    source.fill(original)
    contenders = [tool for tool in tools.ALL if tool.name in asked.tools and (source.kind, sink.kind) in tool.routes]
    with tempfile.TemporaryDirectory(prefix="tools-", dir=work) as folder:
        contenders = [tool(Path(folder) / tool.name) for tool in contenders]
        took = {(tool.name, part): [] for tool in contenders for part in ("first", "again")}
        for turn in range(asked.rounds + 1):
            # Nobody is always first.
            shift = turn % len(contenders)
            for tool in contenders[shift:] + contenders[:shift]:
                for part, one in move(asked, tool, source, sink, expected, is_last=turn == asked.rounds):
                    if turn > 0:
                        took[tool.name, part].append(one)
    source.empty()
    sink.empty()
    common.remove(original)
    facts = {"route": route, "dataset": name, "title": title, "objects": len(sizes), "bytes": sum(sizes)}
    results = []
    for tool in contenders:
        for part in ("first", "again"):
            if took[tool.name, part]:
                median = medians(took[tool.name, part])
                results.append({**facts, "tool": tool.name, "grade": tool.grade, "pass": part, **median})
    report.show([result for result in results])
    return results


def move(asked, tool, source, sink, expected, is_last):
    """One turn of one tool: everything into an empty sink, and in the last turn once more."""
    tool.forget()
    sink.make() if hasattr(sink, "make") else sink.empty()
    log = tool.work / "log"
    log.unlink(missing_ok=True)
    yield "first", measured(tool, tool.command(source, sink), source, sink, log)
    if sink.digests() != expected:
        raise SystemExit(f"{tool.name} left something else at the sink than there is at the source")
    again = None if asked.no_again else tool.again(source, sink)
    if again:
        yield "again", measured(tool, again, source, sink, log)


def measured(tool, command, source, sink, log):
    before = requests(source, sink)
    took = common.run(command, tool.environment, log, {*source.pids, *sink.pids})
    after = requests(source, sink)
    took.requests = after - before if before is not None and after is not None else None
    return took


def requests(source, sink):
    """Of the one server that counts them."""
    counting = sink if sink.kind == "s3" else source
    return counting.requests()


def medians(runs):
    def median(field):
        values = [getattr(one, field) for one in runs]
        return None if None in values else statistics.median(values)

    return {field: median(field) for field in common.Took.__dataclass_fields__} | {"rounds": len(runs)}


def alone(asked, work):
    """The engine by itself, folder to folder."""
    engine = tools.Engine(work / "engine")
    source, sink = Folder(work / "source"), Folder(work / "sink")
    results = {}
    if asked.start:
        common.fill(work / "byte", [1], seed=7)
        source.fill(work / "byte")
        results["start"] = {part: started(engine, source, sink, part == "cold") for part in ("warm", "cold")}
    if asked.growth:
        results["objects"] = [grown(engine, source, sink, work, count) for count in (1_000, 10_000, 100_000, 1_000_000)]
        common.fill(work / "many", [4096] * 20_000, seed=7)
        source.fill(work / "many")
        results["workers"] = [crowded(engine, source, sink, workers) for workers in (1, 2, 4, 8, 16, 32, 64)]
    report.growth(asked.out, results)


def started(engine, source, sink, cold):
    """Milliseconds from start to end of a run that moves one byte: the first byte is moved in less."""
    walls = []
    for _ in range(11):
        engine.forget()
        sink.make()
        command = engine.command(source, sink)
        if cold:
            common.remove(engine.work / "state")
        walls.append(common.run(command, {}, engine.work / "log").wall)
    return 1000 * statistics.median(walls[1:])


def grown(engine, source, sink, work, count):
    """So many empty files."""
    data = work / f"objects-{count}"
    common.fill(data, [0] * count, seed=7)
    source.fill(data)
    engine.forget()
    sink.make()
    took = common.run(engine.command(source, sink), {}, engine.work / "log")
    common.remove(data)
    sink.empty()
    return {"objects": count, "wall": took.wall, "cpu": took.cpu, "peak_mib": took.peak_mib}


def crowded(engine, source, sink, workers):
    engine.forget()
    sink.make()
    command = engine.command(source, sink)
    pipeline = engine.work / "pipeline.toml"
    pipeline.write_text(pipeline.read_text().replace(f"workers = {tools.WORKERS}", f"workers = {workers}"))
    took = common.run(command, {}, engine.work / "log")
    return {"workers": workers, "wall": took.wall, "cpu": took.cpu, "peak_mib": took.peak_mib}


if __name__ == "__main__":
    main()
