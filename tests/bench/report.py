"""Tables and charts of what was measured. Measures nothing."""

import json
import sys

MIB = 1 << 20


def row(result, best):
    seconds, objects, mib = result["wall"], result["objects"], result["bytes"] / MIB
    of = result["cpu"]
    requests = "" if result["requests"] is None else f"{result['requests']:,.0f}"
    cells = [
        result["tool"],
        f"{seconds:.2f}",
        f"{objects / seconds:,.0f}",
        f"{mib / seconds:,.1f}",
        f"{of:.2f}",
        f"{of / (mib / 1024):.2f}" if mib else "",
        f"{of / (objects / 1000):.3f}",
        f"{result['peak_mib']:.0f}",
        f"{result['server_cpu']:.1f}",
        requests,
        f"{best / seconds:.2f}" if best else "",
        result["grade"],
    ]
    return "| " + " | ".join(cells) + " |"


HEAD = """| | wall s | objects/s | MiB/s | CPU s | per GiB | per 1,000 | peak MiB | server CPU s | requests | best peer / it | proven |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def ours(one, other):
    """Both are this engine, which is no peer of itself."""
    return all(result["tool"].startswith("engine") for result in (one, other))


def tables(results):
    """One table for each route, dataset and pass. `best peer / it` above 1: faster than every other tool."""
    groups = {}
    for result in results:
        groups.setdefault((result["route"], result["title"], result["pass"]), []).append(result)
    for (route, title, part), members in groups.items():
        what = "" if part == "first" else ", nothing changed since"
        yield f"\n### {route}, {title}{what}, medians of {members[0]['rounds']}\n\n{HEAD}"
        for member in members:
            peers = [other["wall"] for other in members if other is not member and not ours(other, member)]
            yield row(member, min(peers, default=None))


def show(results):
    print("\n".join(tables(results)))
    sys.stdout.flush()


def save(folder, results):
    (folder / "results.json").write_text(json.dumps(results, indent=1))
    (folder / "results.md").write_text("\n".join(tables(results)) + "\n")
    for route in dict.fromkeys(result["route"] for result in results):
        chart(folder / f"{route}.svg", [one for one in results if one["route"] == route and one["pass"] == "first"])


def plot():
    import matplotlib

    matplotlib.use("svg")
    # The same figures make the same file.
    matplotlib.rcParams["svg.hashsalt"] = "culvert"
    from matplotlib import pyplot

    return pyplot


def chart(path, results):
    """Seconds of each tool, a panel for each dataset: shorter is better."""
    pyplot = plot()
    datasets = list(dict.fromkeys(result["title"] for result in results))
    figure, panels = pyplot.subplots(1, len(datasets), figsize=(4 * len(datasets), 2.6), squeeze=False)
    for title, panel in zip(datasets, panels[0]):
        members = [result for result in results if result["title"] == title][::-1]
        colors = ["tab:blue" if member["tool"].startswith("engine") else "lightgray" for member in members]
        bars = panel.barh([member["tool"] for member in members], [member["wall"] for member in members], color=colors)
        panel.bar_label(bars, fmt="%.1f", padding=2)
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("seconds")
        panel.margins(x=0.15)
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(results[0]["route"].replace("-", " to ")) if results else None
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def growth(folder, results):
    (folder / "growth.json").write_text(json.dumps(results, indent=1))
    if "start" in results:
        warm, cold = results["start"]["warm"], results["start"]["cold"]
        print(f"one byte, start to end: {warm:.0f} ms with compiled connectors, {cold:.0f} ms without")
    if "objects" not in results:
        return
    print("\n| empty files | wall s | us of CPU each | peak MiB |\n|---|---|---|---|")
    for one in results["objects"]:
        each = 1e6 * one["cpu"] / one["objects"]
        print(f"| {one['objects']:,} | {one['wall']:.2f} | {each:.1f} | {one['peak_mib']:.0f} |")
    print("\n| workers, 20,000 x 4 KiB | wall s | CPU s | peak MiB |\n|---|---|---|---|")
    for one in results["workers"]:
        print(f"| {one['workers']} | {one['wall']:.2f} | {one['cpu']:.2f} | {one['peak_mib']:.0f} |")
    pyplot = plot()
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3))
    counts = [one["objects"] for one in results["objects"]]
    left.plot(counts, [1e6 * one["wall"] / one["objects"] for one in results["objects"]], "o-", label="us each")
    left.plot(counts, [one["peak_mib"] for one in results["objects"]], "s--", label="peak MiB")
    left.set(xscale="log", xlabel="objects", ylim=(0, None))
    left.legend()
    workers = [one["workers"] for one in results["workers"]]
    right.plot(workers, [20_000 / one["wall"] for one in results["workers"]], "o-", label="objects/s")
    right.set(xscale="log", xlabel="workers", ylim=(0, None))
    right.legend()
    figure.tight_layout()
    figure.savefig(folder / "growth.svg", metadata={"Date": None})
    pyplot.close(figure)
