from __future__ import annotations

import base64
import gzip
import os
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key
from test_iso9660 import read

from harness.guest.secrets import make_secrets
from harness.guest.seed import SEED_LABEL, seed_image, seed_memfd


def test_cloud_init_gets_both_keys_and_the_line_that_says_ready() -> None:
    secrets = make_secrets()
    label, files = read(seed_image(secrets, "boot-1"))
    assert label == SEED_LABEL
    text = files["USER-DATA.;1"].decode()
    assert text.startswith("#cloud-config\n")
    config = yaml.safe_load(text)
    assert config["disable_root"] is False and config["ssh_deletekeys"] is True
    (user,) = config["ssh_authorized_keys"]
    host = load_ssh_private_key(config["ssh_keys"]["ed25519_private"].encode(), None)
    assert load_ssh_public_key(user.encode()).public_bytes_raw() == secrets.user_public  # type: ignore[union-attr]
    assert host.private_bytes_raw() == secrets.host_private  # type: ignore[union-attr]
    told = load_ssh_public_key(config["ssh_keys"]["ed25519_public"].encode())
    assert told.public_bytes_raw() == secrets.host_public  # type: ignore[union-attr]
    assert "svsm-harness: ready" in config["runcmd"][0][2]


def test_every_boot_is_a_first_boot() -> None:
    _, files = read(seed_image(make_secrets(), "boot-2"))
    assert yaml.safe_load(files["META-DATA.;1"])["instance-id"] == "boot-2"


def test_files_are_written_as_programs() -> None:
    content = bytes(range(256)) * 100
    _, files = read(seed_image(make_secrets(), "a", {"/usr/sbin/a b": content, "/x": b""}))
    first, second = yaml.safe_load(files["USER-DATA.;1"])["write_files"]
    assert first["path"] == "/usr/sbin/a b" and first["permissions"] == "0755" and second["path"] == "/x"
    assert gzip.decompress(base64.b64decode(first["content"])) == content


def test_the_private_key_of_the_user_is_not_in_it() -> None:
    secrets = make_secrets()
    assert secrets.user_private not in seed_image(secrets, "a")


def test_the_seed_is_in_memory_only() -> None:
    with seed_memfd(b"abc" * 1000) as descriptor:
        assert os.pread(descriptor, 5000, 0) == b"abc" * 1000
        assert "memfd:svsm-seed" in str(Path(f"/proc/self/fd/{descriptor}").readlink())
