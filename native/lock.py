"""The lock of the crates: ``crates.txt`` names each with its version and its SHA-256.

    python native/lock.py            makes Cargo.lock as crates.txt says, or fails
    python native/lock.py --write    writes crates.txt from what Cargo chooses now

Cargo.lock names the registry that it was made with, so it is not kept; with any mirror of it the
same crates come out, since their checksums are compared.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
LOCK, CRATES = HERE / "Cargo.lock", HERE / "crates.txt"


def cargo(*arguments: str) -> None:
    """Run Cargo here; ends the program if it fails."""
    if subprocess.run(["cargo", *arguments], cwd=HERE, check=False).returncode:
        sys.exit(1)


def locked() -> list[str]:
    """The crates of Cargo.lock, as lines of crates.txt."""
    packages = tomllib.loads(LOCK.read_text("utf-8"))["package"]
    return sorted(f"{p['name']} {p['version']} {p['checksum']}" for p in packages if "source" in p)


def main() -> None:
    """Make the lock, or write down what it is."""
    if sys.argv[1:] == ["--write"]:
        LOCK.unlink(missing_ok=True)
        cargo("generate-lockfile", "--quiet")
        CRATES.write_text("\n".join(locked()) + "\n", "utf-8")
        return
    wanted = CRATES.read_text("utf-8").split("\n")[:-1]
    if LOCK.exists() and locked() == wanted:
        return
    LOCK.unlink(missing_ok=True)
    cargo("generate-lockfile", "--quiet")
    versions = dict(line.rsplit(" ", 2)[:2] for line in locked())
    for line in wanted:
        name, version, _ = line.split(" ")
        if versions.get(name) != version:
            cargo("update", "--quiet", "--package", name, "--precise", version)
    if locked() != wanted:
        sys.exit(f"Cargo.lock is not what {CRATES.name} says")


if __name__ == "__main__":
    main()
