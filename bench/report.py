"""From raw runs to medians, ratios with their targets, and the printed tables."""

import statistics
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.influx import LOADS, OURS
from bench.rounds import CONNECTIONS, Figures
from bench.stations import SLOTS, STATIONS

EXPLAINED = {
    "a": "plain Django view, gunicorn 2 workers, Django's settings",
    "a_kept": "the same with kept database connections",
    "b": "our route without submit",
    "c": "ours, single readings",
    "d": "ours, batches of 1,000 over 2 connections (readings/s)",
    "e": "the same rows by plain multi-row inserts, one thread (rows/s)",
}


EVENTS = {"b": "an event, our route without submit", "c": "ours, single events"}


@dataclass(frozen=True)
class Target:
    """A promise: a quotient of two figures, or one figure, and its bound."""

    title: str
    bound: float
    at_least: bool
    over: tuple[str, str]
    under: tuple[str, str] | None = None

    def value(self, figures: Figures) -> float | None:
        """Median over the runs of the quotient within each run: what disturbs a run disturbs both sides of it."""
        over = [run[self.over[1]] for run in figures.get(self.over[0], [])]
        if self.under is None:
            return statistics.median(over) if over else None
        under = [run[self.under[1]] for run in figures.get(self.under[0], [])]
        quotients = [one / other for one, other in zip(over, under, strict=False) if other]
        return statistics.median(quotients) if quotients else None

    def is_met(self, value: float) -> bool:
        """Whether a value keeps the promise."""
        return value >= self.bound if self.at_least else value <= self.bound

    @property
    def figures(self) -> set[str]:
        """The figures it rests on."""
        return {self.over[0]} | ({self.under[0]} if self.under else set())


AFTER_TROUBLE = Target("rate after a trouble / before, the worst of all", 0.80, True, ("trouble", "share"))
TARGETS = (
    Target("c / a, 64 connections", 40, True, ("c64", "rate"), ("a", "rate")),
    Target("c / a with kept database connections", 40, True, ("c64", "rate"), ("a_kept", "rate")),
    Target("c / b, 64 connections", 0.40, True, ("c64", "rate"), ("b64", "rate")),
    Target("c / b, 256 connections", 0.50, True, ("c256", "rate"), ("b256", "rate")),
    Target("d / e, readings", 0.50, True, ("d", "readings"), ("e", "rate")),
    Target("c: p99 / p50, 64 connections", 10, False, ("c64", "p99_ms"), ("c64", "p50_ms")),
    Target("events: ours / plain view, 64 connections", 40, True, ("ec64", "rate"), ("ea", "rate")),
    Target("events: ours / without submit, 64 connections", 0.35, True, ("ec64", "rate"), ("eb64", "rate")),
    Target("events: ours / without submit, 256 connections", 0.45, True, ("ec256", "rate"), ("eb256", "rate")),
    Target("events: repeats / new ones, 64 connections", 1.0, True, ("er64", "rate"), ("ec64", "rate")),
    Target("MB resident, 10,000 held polls", 300, False, ("held", "rss_mb")),
    Target("events beside 10,000 held polls / without", 0.80, True, ("held", "share_of_events")),
    Target("ms from order to delivery, p99", 100, False, ("held", "delivery_p99_ms")),
    Target("ms of an unchanged page beyond an empty request", 1, False, ("pages", "look_ms")),
    Target("readings beside 50 dashboards, nothing changed / without", 0.85, True, ("pages", "share_still")),
    Target("readings beside 50 dashboards, a tenth changed / without", 0.65, True, ("pages", "share_changing")),
    Target("ms of the first page of 10,000 devices beyond an empty request", 100, False, ("pages", "first_page_ms")),
    Target("statistics by day and month: 10 million events / 1 million", 2, False, ("scale", "by_day_growth")),
    Target("statistics by day and month: plain GROUP BY / ours", 20, True, ("scale", "by_day_gain")),
    Target("statistics by hour: plain GROUP BY / ours", 5, True, ("scale", "by_hour_gain")),
    Target("MB that a server grows by while it exports a million events", 30, False, ("scale", "export_mb")),
    Target("claims a second, one node on PostgreSQL", 500, True, ("claims", "rate")),
    Target("claims of two nodes / of one", 1.6, True, ("claims", "gain")),
    Target("readings, the database a millisecond away / on the same host", 0.70, True, ("nodes", "readings_kept")),
    Target("events, the database a millisecond away / on the same host", 0.50, True, ("nodes", "events_kept")),
    Target("readings of two nodes / of one, all on one machine", 1.0, True, ("nodes", "readings_gain")),
    Target("events of two nodes / of one, all on one machine", 1.0, True, ("nodes", "events_gain")),
    Target("a million devices: s until a node is ready", 15, False, ("million", "start_s")),
    Target("a million devices: MB of a process, of each 100,000", 250, False, ("million", "mb_per_100000")),
    Target("a million devices: s until a key is refused at the other node", 1, False, ("million", "revoked_s")),
    Target("a million devices: replies beside it that were no 201", 0, False, ("million", "refused")),
    Target("a million devices: ms of a hundred that are online", 200, False, ("million", "online_ms")),
    Target("a million devices: ms of a look at a page", 50, False, ("million", "look_ms")),
    Target("a million devices: ms of a page", 300, False, ("million", "page_ms")),
    Target("readings beside 2 changes of the registry a second / without", 0.95, True, ("million", "share")),
    AFTER_TROUBLE,
    Target("s, slowest reply to others in a trouble", 0.9, False, ("trouble", "slowest_s")),
    Target("hostile callers, those beside whom readings go on (p99)", 1, True, ("fairness", "share")),
    Target("ms, a reading's p99 beside the worst of them", 100, False, ("fairness", "worst_ms")),
    Target("s, a million events move in beside readings at half of the top rate", 300, False, ("moving", "seconds")),
    Target("of the top rate, those readings", 0.49, True, ("moving", "share")),
    Target("ms, p99 of those readings", 100, False, ("moving", "p99_ms")),
    Target("replies to them that were no 201", 0, False, ("moving", "refused")),
    Target("p99 of readings at half of the top rate, while old ones go / without", 1.2, False, ("retention", "growth")),
    Target("of the rate of store_events without the ledger's marks", 0.85, True, ("ledger", "share")),
    Target("ms of CPU, looking into a device that has pressed", 10, False, ("ledger", "look_ms")),
    Target("s, a month's statements of 500 outlets with 10 million events", 10, False, ("money", "month_s")),
    Target("ms, the dashboard's beginning of 500 outlets", 150, False, ("money", "morning_ms")),
    Target("readings beside the runner of alerts, 100,000 devices / without", 0.97, True, ("alerts", "share")),
    Target("ms of a pass of the runner over nothing due", 5, False, ("alerts", "idle_ms")),
    Target("ms of CPU, the longest look at a condition", 100, False, ("alerts", "worst_cpu")),
    Target("readings, two processes / InfluxDB, 64 connections", 0.65, True, ("influx", "two_share_64")),
    Target("readings, two processes / InfluxDB, 256 connections", 0.65, True, ("influx", "two_share_256")),
    Target("readings in batches of 1,000, two processes / InfluxDB", 0.55, True, ("influx", "two_share_batch")),
    Target("ms, p99 of two processes at 64 connections in these turns", 40, False, ("influx", "two_64_p99_ms")),
    Target("MB resident, 10,000 devices", 200, False, ("memory", "rss_mb")),
)


def invalid_figures(figures: Figures) -> dict[str, list[str]]:
    """By figure, what was wrong in its runs."""
    found = {name: [problem for run in runs for problem in run["problems"]] for name, runs in figures.items()}
    return {name: problems for name, problems in found.items() if problems}


def summarise(figures: Figures) -> dict[str, Any]:
    """Medians of each figure, and each target with its value."""
    medians = {
        name: {key: _median(runs, key) for key in runs[0] if isinstance(runs[0][key], int | float)}
        for name, runs in figures.items()
    }
    invalid = invalid_figures(figures)
    targets = []
    for target in TARGETS:
        value = target.value(figures)
        met = None if value is None or target.figures & invalid.keys() else target.is_met(value)
        targets.append({"title": target.title, "bound": target.bound, "value": value, "met": met})
    return {"medians": medians, "targets": targets, "invalid": invalid}


def show(console: Console, results: dict[str, dict[str, Any]]) -> None:
    """Ratios against their targets first, then the figures; the databases beside each other."""
    ratios = Table(title="Ratios (medians of the runs' own ratios)")
    ratios.add_column("ratio")
    ratios.add_column("target", justify="right")
    for name in results:
        ratios.add_column(name, justify="right")
    for position, target in enumerate(TARGETS):
        cells = [_verdict(result["summary"]["targets"][position]) for result in results.values()]
        ratios.add_row(target.title, f"{'≥' if target.at_least else '≤'} {target.bound:g}", *cells)
    console.print(ratios)

    table = Table(title="Figures (medians)")
    table.add_column("figure")
    for name in results:
        table.add_column(f"{name}\nreq/s", justify="right")
        table.add_column("p50 ms", justify="right")
        table.add_column("p99 ms", justify="right")
    for figure, label in _rows():
        table.add_row(label, *[cell for result in results.values() for cell in _cells(result["summary"], figure)])
    console.print(table)

    _show_scale(console, results)
    _show_troubles(console, results)
    _show_influx(console, results)
    for name, result in results.items():
        workers = ", ".join(f"{figure}: {worker}" for figure, worker in result["plain_workers"].items())
        said = [result["version"], workers and f"gunicorn's better worker {workers}", _memory(result["summary"])]
        console.print(f"{name}: {'; '.join(filter(None, said))}")
        for figure, problems in result["summary"]["invalid"].items():
            console.print(f"[bold red]{name} {figure} is INVALID: {'; '.join(sorted(set(problems)))}[/]")


def _show_scale(console: Console, results: dict[str, dict[str, Any]]) -> None:
    """A year of history: each question by itself."""
    for name, result in results.items():
        for figure in result["runs"].get("scale", []):
            table = Table(title=f"Ten million events on {name}")
            for column in ("question", "ms", "/ one million", "plain GROUP BY / ours"):
                table.add_column(column, justify="left" if column == "question" else "right")
            for question, seconds in figure["seconds"].items():
                quotients = [figure[of].get(question) for of in ("growth", "gain")]
                cells = ["" if quotient is None else f"{quotient:,.2f}" for quotient in quotients]
                table.add_row(question, f"{seconds * 1e3:,.1f}", *cells)
            console.print(table)


def _show_troubles(console: Console, results: dict[str, dict[str, Any]]) -> None:
    """Each trouble by itself: the rate after it of the rate before, and the slowest reply to others meanwhile."""
    found = {name: result["runs"]["trouble"][0] for name, result in results.items() if result["runs"].get("trouble")}
    if not found:
        return
    table = Table(title=f"Rate after a trouble / before (each ≥ {AFTER_TROUBLE.bound:g}; needs an idle machine)")
    table.add_column("trouble")
    for name in found:
        table.add_column(name, justify="right")
        table.add_column("slowest s", justify="right")
    for trouble in dict.fromkeys(trouble for figure in found.values() for trouble in figure["shares"]):
        cells = []
        for figure in found.values():
            share, slowest = figure["shares"].get(trouble), figure["slowest"].get(trouble)
            style = "green" if share is not None and AFTER_TROUBLE.is_met(share) else "bold red"
            cells += ["–" if share is None else f"[{style}]{share:.2f}[/]", "" if slowest is None else f"{slowest:.2f}"]
        table.add_row(trouble, *cells)
    console.print(table)
    for name, figure in found.items():
        for line in figure["skipped"]:
            console.print(f"{name}: {line}", style="bold red", markup=False)


def _show_influx(console: Console, results: dict[str, dict[str, Any]]) -> None:
    """Ours, in one process and in two, and InfluxDB beside each other."""
    for name, result in results.items():
        for figure in result["runs"].get("influx", []):
            table = Table(title=f"Ours on {name}, and InfluxDB, in turns (medians; the processor's time is their own)")
            for column in ("", "readings/s", "p50 ms", "p99 ms", "µs of processor a reading"):
                table.add_column(column, justify="right" if column else "left")
            for name_of_load, *_ in LOADS:
                for who in (*OURS, "influx"):
                    cells = [
                        f"{figure[f'{who}_{name_of_load}_{key}']:,.1f}"
                        for key in ("rate", "p50_ms", "p99_ms", "cpu_us")
                    ]
                    table.add_row(f"{who}, {name_of_load}", *cells)
            console.print(table)


def _rows() -> list[tuple[str, str]]:
    loads = [
        (f"{letter}{count}", f"{letter}  {EXPLAINED[letter]}, {count}") for count in CONNECTIONS for letter in "bc"
    ]
    return [
        ("a", f"a  {EXPLAINED['a']}"),
        ("a_kept", f"a' {EXPLAINED['a_kept']}"),
        *sorted(loads, key=lambda row: row[0][0]),
        ("d", f"d  {EXPLAINED['d']}"),
        ("e", f"e  {EXPLAINED['e']}"),
        ("ea", "ea  an event by a plain Django view, kept connections, 64"),
        *((f"e{letter}{count}", f"e{letter} {EVENTS[letter]}, {count}") for count in (64, 256) for letter in "bc"),
        ("er64", "er  events sent again, 64"),
        ("claims", "claims of meters, one node of one process, 64"),
        ("stations", f"s  full syncs of {STATIONS:,} stations of {SLOTS} slots, at once"),
    ]


def _cells(summary: dict[str, Any], figure: str) -> list[str]:
    median = summary["medians"].get(figure)
    if median is None:
        return ["–", "–", "–"]
    mark = " !" if figure in summary["invalid"] else ""
    latencies = [f"{median[key]:,.1f}" if key in median else "" for key in ("p50_ms", "p99_ms")]
    return [f"{median.get('readings', median['rate']):,.0f}{mark}", *latencies]


def _memory(summary: dict[str, Any]) -> str:
    parts = []
    for figure, words in (("memory", "10,000 devices"), ("memory_after_load", "after c")):
        if median := summary["medians"].get(figure):
            shared = f", {median['pss_mb']:.0f} with shared pages counted once" if "pss_mb" in median else ""
            parts.append(f"{words} {median['rss_mb']:.0f} MB in {median['processes']:.0f} processes{shared}")
    return "resident memory: " + "; ".join(parts) if parts else ""


def _verdict(target: dict[str, Any]) -> str:
    if target["value"] is None:
        return "–"
    words = {True: "[green]met[/]", False: "[bold red]not met[/]", None: "[bold red]invalid[/]"}
    digits = 3 if target["value"] < 1 else 1  # a ratio of 0.497 must not be shown as 0.50, "not met"
    return f"{target['value']:,.{digits}f} {words[target['met']]}"


def _median(runs: list[dict[str, Any]], key: str) -> float:
    return statistics.median(run[key] for run in runs if key in run)
