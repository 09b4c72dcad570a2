"""Java programs from Maven Central: fetched once into the user's cache, shared by every project and process of that user."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.broker.errors import BrokerError, MissingToolError, last_lines
from pipeline.broker.folders import cache_folder, locked

KAFKA = "kafka-4.4.0"
_POM = Path(__file__).with_name("pom.xml")
_WITHOUT_JAVA = "or run the broker in Docker: deploy/README.md"


def kafka_jars() -> Path:
    """The folder with Kafka's jars; the first call of a user downloads 45 MB."""
    return fetched(_POM, KAFKA)


def kafka_is_cached() -> bool:
    """Whether `kafka_jars` needs no download."""
    return (cache_folder() / KAFKA).exists()


def fetched(pom: Path, name: str) -> Path:
    """The cache folder `name`, which holds the runtime dependencies that `pom` lists.

    Raises MissingToolError without Maven, BrokerError where Maven cannot fetch.
    """
    return _made(name, lambda folder: _maven(pom, "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"))


def packaged(pom: Path, name: str) -> Path:
    """The one jar in the cache folder `name` that `pom` puts together of its dependencies. Raises as `fetched`."""
    folder = _made(name, lambda folder: _package(pom, folder))
    return next(folder.glob("*.jar"))


def _package(pom: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as target:
        _maven(pom, "package", f"-Dtarget={target}")
        for jar in set(Path(target).glob("*.jar")) - set(Path(target).glob("original-*.jar")):
            shutil.move(jar, folder)


def _made(name: str, make: Callable[[Path], None]) -> Path:
    folder = cache_folder() / name
    with locked(cache_folder() / f"{name}.lock"):
        if not folder.exists():
            scratch = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=folder.parent))
            try:
                make(scratch)
                scratch.rename(folder)  # whole or not at all
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return folder


def java() -> str:
    """The java program: JAVA_HOME's, else the one on the PATH."""
    home = os.environ.get("JAVA_HOME")
    return _program("java", "install a JDK, version 17 or newer", Path(home, "bin") if home else None)


def _maven(pom: Path, goal: str, *properties: str) -> None:
    command = [_program("mvn", "install Maven"), "--batch-mode", "--quiet", f"--file={pom}", goal, *properties]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode != 0:
        raise BrokerError(f"Maven could not fetch {pom.parent.name}/{pom.name}; is Maven Central within reach?\n{last_lines(done.stdout + done.stderr)}")


def _program(name: str, remedy: str, folder: Path | None = None) -> str:
    found = shutil.which(name, path=folder)
    if found is None:
        raise MissingToolError(f"there is no {name} {f'in {folder}' if folder else 'on the PATH'}: {remedy}, {_WITHOUT_JAVA}")
    return found
