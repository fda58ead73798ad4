"""Lend a boot's keys to ssh(1) without a file."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.guest.identity import identity_descriptors
from harness.guest.secrets import make_secrets, public_blob

SECRETS = make_secrets()


def test_the_files_exist_while_the_body_runs_and_nowhere_else() -> None:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - iterating a Path keeps a descriptor open
    with identity_descriptors(SECRETS, 2222) as (key, known_hosts):
        for descriptor in (key, known_hosts):
            assert os.fstat(descriptor).st_mode & 0o777 == 0o600
            assert str(Path(f"/proc/self/fd/{descriptor}").readlink()).startswith("/memfd:")
            assert not os.get_inheritable(descriptor)
        text = Path(f"/proc/{os.getpid()}/fd/{known_hosts}").read_text()
    assert text.startswith("[127.0.0.1]:2222 ssh-ed25519 AAAA") and text.endswith("\n") and text.count("\n") == 1
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_an_error_in_the_body_closes_both() -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(RuntimeError), identity_descriptors(SECRETS, 1):
        raise RuntimeError
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_ssh_reads_the_key_through_proc() -> None:
    import base64

    with identity_descriptors(SECRETS, 22) as (key, known_hosts):
        mine = f"/proc/{os.getpid()}/fd"
        public = subprocess.run(["ssh-keygen", "-y", "-f", f"{mine}/{key}"], capture_output=True, text=True, check=True)
        found = subprocess.run(
            ["ssh-keygen", "-F", "[127.0.0.1]:22", "-f", f"{mine}/{known_hosts}"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert base64.b64decode(public.stdout.split()[1]) == public_blob(SECRETS.user_public)
    assert base64.b64encode(public_blob(SECRETS.host_public)).decode() in found.stdout


def test_paramiko_reads_the_key() -> None:
    import paramiko

    with identity_descriptors(SECRETS, 22) as (key, _):
        loaded = paramiko.Ed25519Key.from_private_key_file(f"/proc/self/fd/{key}")
    assert loaded.asbytes() == public_blob(SECRETS.user_public)
