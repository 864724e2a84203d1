"""The commands of deployment: serve, promote, rollback, lineage."""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from .errors import UserError

KEYS = "NBUTILS_KEYS"
SHOTS = 2


def add_commands(commands: Any) -> None:
    """Add the commands to a parser of the command line."""
    _add_serve(commands)
    promote = commands.add_parser("promote", help="make a version champion, if nothing is against")
    promote.add_argument("version", nargs="?", default="challenger", help="number, alias or run")
    promote.set_defaults(command=_promote)
    rollback = commands.add_parser("rollback", help="go back to the champion before")
    rollback.add_argument("--to", default="", metavar="3", help="a version that was champion")
    rollback.set_defaults(command=_rollback)
    for parser in (promote, rollback):
        parser.add_argument("--why", default="", help="reason, for the record")
        _add_name(parser)
    lineage = commands.add_parser("lineage", help="from a version back to the reports behind it")
    lineage.add_argument("version", nargs="?", default="champion", help="number, alias or run")
    lineage.add_argument("--json", action="store_true", help="every row as JSON")
    _add_name(lineage)
    lineage.set_defaults(command=_lineage)


def _add_name(
    parser: argparse.ArgumentParser, what: str = "registered model (default: growth)"
) -> None:
    parser.add_argument("--name", default="growth", help=what)


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser("serve", help="answer cases behind the guard, as an OpenAI API")
    serve.add_argument("--run", default="latest", help="whose merged model and prompt")
    serve.add_argument(
        "--url", metavar="URL", help="server of the models, ending in /v1 (default: one is started)"
    )
    serve.add_argument("--model", help="the tuned model's name there")
    serve.add_argument(
        "--fallback", help="name of the base there, asked with examples; may be left"
    )
    serve.add_argument(
        "--key-env", default="", metavar="VAR", help="variable with that server's key"
    )
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--seconds", type=float, default=60.0, help="time limit of a request")
    serve.add_argument(
        "--log", metavar="FILE", help="request log (default: requests.jsonl of the run)"
    )
    _add_name(serve, "what the service calls its model (default: growth)")
    serve.add_argument("--redact", action="store_true", help="leave texts out of the log")
    serve.set_defaults(command=_serve)


def _serve(args: argparse.Namespace) -> int:
    from . import deployment, folders, records
    from .models import base_path

    run_dir = folders.find(args.run)
    if args.url and not args.model:
        raise UserError("--url is given without --model: say what the tuned model is called there.")
    plan = records.read_record(run_dir / "plan.json")
    merged = run_dir / "merged"
    if not args.url and not merged.is_dir():
        raise UserError(
            f"run {run_dir.name} has no merged model to serve: run 06_deployment first, or name a "
            f"server with --url and --model."
        )
    own = None if args.url else deployment.served(run_dir / "server.log")
    with own or nullcontext(args.url) as url:
        model = args.model or deployment.name_of(merged)
        fallback = args.fallback
        if not args.url:
            fallback = deployment.name_of(base_path(plan["base_model"]))
        guard = deployment.Guard(
            _upstream(args, url, model, plan["form"], f"{run_dir.name}/merged"),
            run_dir / "person.jsonl",
            fallback=_upstream(args, url, fallback, plan["form"], "base", _shots(run_dir))
            if fallback
            else None,
            limits=deployment.Limits(seconds=args.seconds),
            name=args.name,
        )
        log = Path(args.log) if args.log else run_dir / "requests.jsonl"
        print(f"Guarded: http://{args.host}:{args.port}/v1, log {log}, for a person {guard.queue}")
        keys = [k for k in os.environ.get(KEYS, "").split(",") if k]
        deployment.serve(
            guard, host=args.host, port=args.port, keys=keys, log=log, redact=args.redact
        )
    return 0


def _upstream(
    args: argparse.Namespace, url: str, model: str, form: str, version: str, shots: Any = ()
) -> Any:
    from .deployment import Upstream

    return Upstream(url, model, args.key_env, form=form, shots=tuple(shots), version=version)


def _shots(run_dir: Path) -> list[Any]:
    """The shortest training examples, for the prompt of the base."""
    from .examples import read_examples

    return sorted(read_examples(run_dir / "train.jsonl"), key=lambda e: len(e.output))[:SHOTS]


def _promote(args: argparse.Namespace) -> int:
    from . import deployment

    return _moved(deployment.promote(args.version, why=args.why, name=args.name))


def _rollback(args: argparse.Namespace) -> int:
    from . import deployment

    return _moved(deployment.rollback(args.to, why=args.why, name=args.name))


def _moved(move: Any) -> int:
    if len(move.compared):
        print(move.compared.to_string(index=False))
    print(move.said)
    return 0


def _lineage(args: argparse.Namespace) -> int:
    from . import deployment

    found = deployment.lineage(deployment.find(args.version, name=args.name))
    if args.json:
        print(deployment.to_json(found))
        return 0
    print(deployment.steps(found).to_string(index=False))
    print(deployment.said(found))
    return 0
