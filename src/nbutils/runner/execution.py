"""One notebook, run by papermill in a kernel of this very interpreter, with live progress."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from nbutils.provenance import read_cells
from nbutils.records import PROGRESS_FILE, clock, progress_line, read_record

LINE_EVERY = 30.0  # seconds between lines where output is not a terminal
KERNEL_LOG = "kernel.log"

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FRAME = re.compile(r"^(?:File (?P<file>.+?):(?P<line>\d+)|Cell In\[\d+\], line (?P<own>\d+))")
_ARROW = re.compile(r"^-+> ?\d+ (.*)$")


class StageError(Exception):
    """A notebook that did not run to its end.

    Attributes
    ----------
    where : str
        ``"cell 5 of 12"``.
    cause : str
        The last line of the error.
    line : str
        Where it was raised, and that line of code; may be empty.
    """

    def __init__(self, where: str, cause: str, line: str = "") -> None:
        super().__init__(f"{where}: {cause}")
        self.where, self.cause, self.line = where, cause, line


@dataclass
class Job:
    """What `execute` needs to know.

    Attributes
    ----------
    notebook, output : Path
        The notebook in git; where the executed one goes.
    parameters : dict
        Injected behind the parameters cell.
    root, run_dir : Path
        Working directory of the kernel; where its progress file appears.
    """

    notebook: Path
    output: Path
    parameters: dict[str, Any]
    root: Path
    run_dir: Path


def execute(job: Job, out: TextIO) -> None:
    """Run one notebook; the executed one appears whole, also if a cell fails.

    Raises
    ------
    StageError
        If a cell raised or the kernel died.
    """
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    job.output.parent.mkdir(parents=True, exist_ok=True)
    partial = job.output.with_name(f".{job.output.stem}.partial.ipynb")
    (job.run_dir / PROGRESS_FILE).unlink(missing_ok=True)
    cells = [c for c in read_cells(job.notebook) if c["type"] == "code" and c["source"].strip()]
    display = Display(job, len(cells), out)
    try:
        with display:
            _papermill(job, partial, display.cell_started)
    except PapermillExecutionError as error:
        raise StageError(display.where, *_cause(error, job.root)) from None
    except (DeadKernelError, CellTimeoutError, RuntimeError) as error:
        raise StageError(display.where, _kernel_death(job, error)) from None
    finally:
        # Ctrl-C leaves the page of the last whole execution in place
        interrupted = isinstance(sys.exception(), KeyboardInterrupt)
        if partial.exists() and not interrupted:
            _without_machine_paths(partial, job)
            os.replace(partial, job.output)
        partial.unlink(missing_ok=True)


def _papermill(job: Job, partial: Path, cell_started: Callable[..., None]) -> None:
    with (job.run_dir / KERNEL_LOG).open("w", encoding="utf-8") as log:

        class Kernel(AsyncKernelManager):
            """A kernel of this interpreter, whatever is or is not registered on the machine."""

            @property
            def kernel_spec(self) -> KernelSpec:
                argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
                return KernelSpec(argv=argv, display_name="Python 3", language="python")

            async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
                kw["env"] = {**kw["env"], "NBUTILS_RUNNER": "1"}
                # what libraries write past Jupyter must not run across the progress line
                await super()._async_launch_kernel(
                    kernel_cmd, **{**kw, "stdout": log, "stderr": log}
                )

        papermill.execute_notebook(
            str(job.notebook),
            str(partial),
            parameters=job.parameters,
            kernel_name="python3",
            language="python",
            cwd=str(job.root),
            progress_bar=False,
            kernel_manager_class=Kernel,
            on_cell_start=cell_started,
        )


def _cause(error: PapermillExecutionError, root: Path) -> tuple[str, str]:
    """Last line of an error, and the line of code that raised it."""
    message = next((x.strip() for x in str(error.evalue).splitlines() if x.strip()), "")
    cause = f"{error.ename}: {message}" if message else error.ename
    place = code = ""
    for text in _COLOUR.sub("", "\n".join(error.traceback)).splitlines():
        if frame := _FRAME.match(text):
            code = ""
            place = f"{_short(frame['file'], root)}:{frame['line']}" if frame["file"] else ""
            place = place or f"line {frame['own']} of the cell"
        elif arrow := _ARROW.match(text):
            code = arrow[1].strip()
    return cause[:400], f"{place}: {code}" if code else place


def _short(file: str, root: Path) -> str:
    path = Path(file).expanduser()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file


def _kernel_death(job: Job, error: Exception) -> str:
    lines = (job.run_dir / KERNEL_LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    own = [x.strip() for x in lines if x.strip() and not x.startswith("[IPKernelApp]")]
    said = f"; its last words: {own[-1]}" if own else ""
    if isinstance(error, DeadKernelError):
        return f"the kernel died; most often memory has run out{said[:300]}"
    return f"{type(error).__name__}: {error}{said[:300]}"


def _without_machine_paths(executed: Path, job: Job) -> None:
    notebook = nbformat.read(executed, as_version=4)
    about = notebook.metadata.get("papermill", {})
    about["input_path"] = job.notebook.relative_to(job.root).as_posix()
    about["output_path"] = job.output.name
    nbformat.write(notebook, executed)


class Display:
    """The live line of a stage: cell, time, and what the cell itself says about its progress."""

    def __init__(self, job: Job, cells: int, out: TextIO) -> None:
        self.job, self.cells, self.out = job, cells, out
        self.cell = 0
        self.begun = self.last = time.monotonic()
        self.cell_begun = time.time()
        self.live = out.isatty()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Display:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.live:
            self.out.write("\r\x1b[K")
            self.out.flush()

    @property
    def where(self) -> str:
        """``"cell 5 of 12"``, counting code cells as the notebook in git has them."""
        return f"cell {self.cell} of {self.cells}" if self.cell else "start"

    def cell_started(self, cell: Any, cell_index: int) -> None:
        """Count a code cell; a hook of nbclient, which calls it for text and empty cells too."""
        code = cell.cell_type == "code" and cell.source.strip()
        if code and "injected-parameters" not in cell.metadata.get("tags", []):
            self.cell += 1
            self.cell_begun = time.time()

    def line(self) -> str:
        """Stage, cell, elapsed time, and the cell's own progress."""
        elapsed = clock(time.monotonic() - self.begun)
        text = f"{self.job.notebook.stem}  {self.where}  {elapsed}"
        try:
            progress = read_record(self.job.run_dir / PROGRESS_FILE)
        except Exception:  # a glance at a file of another process must never end the run
            progress = {}
        if progress.get("time", 0.0) < self.cell_begun:
            return text  # nothing yet, or what an earlier cell left
        return f"{text}  {progress_line(progress, time.time())}"

    def _watch(self) -> None:
        while not self._stop.wait(0.5 if self.live else 1.0):
            if self.live:
                width = shutil.get_terminal_size().columns - 1
                self.out.write(f"\r\x1b[K{self.line()[:width]}")
                self.out.flush()
            elif time.monotonic() - self.last >= LINE_EVERY:
                self.last = time.monotonic()
                self.out.write(f"  {self.line()}\n")
                self.out.flush()
