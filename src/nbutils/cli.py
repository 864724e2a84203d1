"""The command ``nbutils``: run, check, review, report, and those of deployment."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import deploy_cli
from .errors import UserError

COLUMNS = ("row", "precision", "coverage", "faithful", "first wrong claim")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        0 if all went well, 1 if a stage or a page failed, 2 for wrong input, 130 if interrupted.
    """
    args = _parser().parse_args(argv)
    try:
        return args.command(args)
    except (UserError, ValueError) as error:
        if not _meant_for_the_user(error):
            raise
        sys.stderr.write(f"nbutils: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # `nbutils check ... | head`: nobody reads on; keep Python from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _meant_for_the_user(error: Exception) -> bool:
    from .examples import CaseError, DataFileError  # brings numpy, too slow for --help

    return isinstance(error, UserError | CaseError | DataFileError)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nbutils",
        description="From analyst reports to a small fine-tuned model whose every number is "
        "verified.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    check = commands.add_parser("check", help="verify the numbers of analyses in a JSONL file")
    check.add_argument("file", nargs="?", help='rows like {"input": "...", "output": "..."}')
    check.add_argument(
        "--self-test",
        action="store_true",
        help="measure the verifier on its labelled texts, or on FILE taken to be right",
    )
    check.add_argument("--json", action="store_true", help="print one verdict a line")
    check.set_defaults(command=_check)
    _add_review(commands)
    deploy_cli.add_commands(commands)
    report = commands.add_parser("report", help="make the pages of a run again from its files")
    report.add_argument("--run", default="latest", help="name of the run (default: the latest)")
    report.set_defaults(command=_report)
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser("run", help="run the notebooks; skips what is unchanged")
    run.add_argument("--profile", help="file in notebooks/profiles (default: cpu)")
    run.add_argument("--run", metavar="NAME", help="name of the run (default: the profile's)")
    which = run.add_mutually_exclusive_group()
    which.add_argument("--from", dest="start", metavar="03", help="start at this stage")
    which.add_argument("--only", metavar="04", help="run this stage only")
    run.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="03.epochs=1",
        help="set a parameter of a stage; may be repeated",
    )
    run.add_argument("--force", action="store_true", help="run even what is unchanged")
    run.set_defaults(command=_run)


def _add_review(commands: Any) -> None:
    review = commands.add_parser(
        "review", help="make a page to review or rate with, and bring its decisions back"
    )
    review.add_argument("run", nargs="?", default="latest", help="name of the run")
    review.add_argument(
        "--queue",
        default="candidates",
        help="candidates (the default), adjudication of disputes, or ratings of answers",
    )
    review.add_argument("--reviewer", metavar="NAME", help="who reviews; asked on the page if left")
    which = review.add_mutually_exclusive_group()
    which.add_argument(
        "--import", dest="imported", nargs="+", metavar="FILE", help="decisions of a page or table"
    )
    which.add_argument("--export", metavar="FILE", help="the queue as .csv, .xlsx or .jsonl")
    review.add_argument(
        "--same-person",
        action="store_true",
        help="import although this name decided the same items elsewhere",
    )
    review.set_defaults(command=_review)


def _run(args: argparse.Namespace) -> int:
    from . import runner

    return runner.run(
        runner.Request(args.profile, args.run, args.start, args.only, tuple(args.param), args.force)
    )


def _report(args: argparse.Namespace) -> int:
    from .runner import pages

    page, complete = pages.again(args.run)
    print(f"Report: {page}")
    return 0 if complete else 1


def _review(args: argparse.Namespace) -> int:
    from . import folders, records, review

    run_dir = folders.find(args.run)
    items = review.items_of(run_dir, args.queue)
    path = review.decisions_file(run_dir, args.queue)
    if broken := review.mend(path):
        print(broken)
    for file in args.imported or ():
        merged = review.merge(
            path,
            Path(file),
            items,
            run=run_dir.name,
            queue=args.queue,
            reviewer=args.reviewer,
            same_person=args.same_person,
            at=records.now(),
        )
        print(f"{file}: {merged}")
    if args.imported and args.queue == "adjudication":
        items = review.items_of(run_dir, args.queue)
    lines = review.read(path)
    if args.export:
        name = args.reviewer or ""
        review.write_table(Path(args.export), review.order(items, name), lines, name)
        print(f"Table: {args.export}")
    elif not args.imported:
        page = folders.reports() / run_dir.name / f"review_{args.queue}.html"
        records.write_text(page, review.page_of(run_dir, args.queue, args.reviewer or ""))
        print(f"Page: {page}")
    print(review.standing_of(items, lines, args.queue))
    if args.imported and args.queue != "ratings":
        print(f"To train on what is approved: nbutils run --run {run_dir.name}")
    return 0


# --------------------------------------------------------------------------- check


def _check(args: argparse.Namespace) -> int:
    from . import claims

    if not (args.file or args.self_test):
        raise UserError("nothing to check: name a JSON Lines file, or use --self-test.")
    if args.self_test:
        for row in claims.on_texts(_texts(args.file)) if args.file else claims.self_test():
            print(json.dumps(row, ensure_ascii=False) if args.json else _plain(row))
        return 0
    verdicts = list(_verdicts(args.file))
    if args.json:
        for name, verdict in verdicts:
            print(json.dumps({"row": name, **verdict.to_dict()}, ensure_ascii=False))
        return 0
    lines = [COLUMNS, *(_line(name, verdict) for name, verdict in verdicts)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS) - 1)]
    for line in lines:
        cells = [text.ljust(w) for text, w in zip(line[:-1], widths, strict=True)]
        print("  ".join([*cells, line[-1]]).rstrip())
    print(_total([verdict for _, verdict in verdicts]))
    return 0


def _verdicts(file: str) -> list[tuple[str, Any]]:
    """Row id (or number) and verdict of every row."""
    from . import claims

    return [
        (str(row.get("id", number)), claims.verify(row["input"], row["output"]))
        for number, row in enumerate(_texts(file), start=1)
    ]


def _texts(file: str) -> list[dict[str, Any]]:
    """Rows with input and output, both of them text."""
    from .examples import DataFileError, read_jsonl

    rows = read_jsonl(file, required=("input", "output"))
    for number, row in enumerate(rows, start=1):
        for key in ("input", "output"):
            if not isinstance(row[key], str):
                raise DataFileError(
                    f"{file}, row {number}: field '{key}' is {type(row[key]).__name__}, expected "
                    f"text: write it as one string."
                )
    return rows


def _line(name: str, verdict: Any) -> tuple[str, ...]:
    wrong = [c for c in verdict.claims if c.verdict in ("contradicted", "unit_confusion")]
    wrong += [c for c in verdict.claims if c.verdict == "unsupported"]
    first = f"{wrong[0].text} ({wrong[0].verdict}): {wrong[0].derivation}" if wrong else ""
    faithful = "yes" if verdict.faithful else "no"
    return name, _share(verdict.precision), _share(verdict.coverage), faithful, first


def _total(verdicts: Sequence[Any]) -> str:
    known = [v.precision for v in verdicts if v.precision is not None]
    covered = [v.coverage for v in verdicts if v.coverage is not None]
    faithful = sum(bool(v.faithful) for v in verdicts)
    return (
        f"n = {len(verdicts)}: {faithful} faithful; mean precision {_share(_mean(known))} "
        f"(n = {len(known)}), mean coverage {_share(_mean(covered))} (n = {len(covered)})"
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"


def _plain(row: dict[str, Any]) -> str:
    return "  ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in row.items()
    )


if __name__ == "__main__":
    sys.exit(main())
