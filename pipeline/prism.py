"""Beam's own streaming runner for one machine, Prism: a binary that is found, downloaded, or built where Go is."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import sleep

from apache_beam import version

from pipeline.broker.folders import cache_folder, locked
from schemas.errors import DijlaError

# Prism 2.77 splits any bundle that is slow, one of a stateful step too: the rest of a key's elements then runs beside its first, and one of the two
# states is lost.
_SPLIT_NOTHING = "--experiments=prism_disable_sdf_split"
_log = logging.getLogger(__name__)
_PACKAGE = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{version.__version__}"
_RELEASE = f"https://github.com/apache/beam/releases/download/v{version.__version__}/apache_beam-v{version.__version__}-prism"
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_DOWNLOAD_SECONDS = 60
_START_SECONDS = 20
_PR_SET_PDEATHSIG = 1


class PrismMissing(DijlaError):  # noqa: N818 - it names what happened
    """Prism is not here and could be neither built nor downloaded."""


def prism() -> Path:
    """The binary of this Beam version in the user's cache; put there first where it is not: built with Go, else downloaded. Raises PrismMissing."""
    folder = cache_folder() / f"prism-{version.__version__}"
    binary = folder / "prism"
    with locked(folder / "lock"):
        if not binary.exists():
            _made(folder).replace(binary)
    return binary


def _made(folder: Path) -> Path:
    _log.info("Prism is not here yet: it is built with Go, or downloaded; this may take two minutes", extra={"folder": str(folder)})
    tried = []
    for way in (_build, _download):
        try:
            made = way(folder)
        except (OSError, subprocess.CalledProcessError, zipfile.BadZipFile) as error:
            tried.append(f"{way.__name__.strip('_')}: {_said(error)}")
            continue
        made.chmod(0o755)
        return made
    raise PrismMissing(f"Prism {version.__version__} is not in {folder} and could not be had ({'; '.join(tried)}): install Go, or give --prism_location=FILE")


@contextmanager
def serving(options: Sequence[str]) -> Iterator[list[str]]:
    """Run Prism on a free loopback port; gives the Beam options that send the job there, the worker being threads of this process.

    An option --prism_location=FILE names another binary. Prism ends with this process, however that ends. Raises PrismMissing.
    """
    given = [option.partition("=")[2] for option in options if option.startswith("--prism_location=")]
    rest = [option for option in options if not option.startswith("--prism_location=")]
    binary = Path(given[0]) if given else prism()
    port = _free_port()
    server = subprocess.Popen(  # noqa: S603 - our own binary
        [binary, f"--job_port={port}", "--serve_http=false", "--log_level=error", "--log_kind=json"],
        preexec_fn=_end_with_parent,
        start_new_session=True,  # a terminal's Ctrl-C is for us: Prism is needed until what was read is written
    )
    try:
        _wait(server, port)
        yield [f"--job_endpoint=localhost:{port}", "--environment_type=LOOPBACK", _SPLIT_NOTHING, *rest]
    finally:
        server.terminate()
        server.wait()


def _end_with_parent() -> None:
    """In the child: be killed when the parent is gone (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(_START_SECONDS * 20):
        if server.poll() is not None:
            raise PrismMissing(f"{server.args!r} ended at once, with status {server.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.05)
    raise PrismMissing(f"{server.args!r} does not answer")


def _build(folder: Path) -> Path:
    go = shutil.which("go")
    if go is None:
        raise FileNotFoundError("Go is not installed")
    work = folder / "build"
    subprocess.run([go, "install", _PACKAGE], env={**os.environ, "GOBIN": str(work)}, check=True, capture_output=True, text=True)  # noqa: S603
    return work / "prism"


def _download(folder: Path) -> Path:
    machine = _MACHINES.get(platform.machine().lower())
    if machine is None:
        raise FileNotFoundError(f"no release for {platform.machine()}")
    archive = folder / "download.zip"
    name = f"{_RELEASE}-{platform.system().lower()}-{machine}.zip"
    with urllib.request.urlopen(name, timeout=_DOWNLOAD_SECONDS) as answer, archive.open("wb") as out:  # noqa: S310 - a fixed https address
        shutil.copyfileobj(answer, out)
    with zipfile.ZipFile(archive) as opened:
        made = Path(opened.extract(opened.namelist()[0], folder / "unpacked"))
    archive.unlink()
    return made


def _said(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return (error.stderr or str(error)).strip().splitlines()[-1]
    return str(error)
