"""Define what a scenario asks of the host that it runs on: the kernel under test is a part of it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from harness.scenario.base import Model

__all__ = ["HostDemand"]


class HostDemand(Model):
    """Ask for a kernel on the host. A host that has another one makes the verdict UNSUPPORTED, with both names."""

    flavour: Literal["mainline", "tom", "roy", "planes-6.17", "planes-v1"] | None = Field(
        default=None, description="What the host's KVM must know about VMPLs. Left out: any."
    )
    kernel: str | None = Field(
        default=None,
        min_length=1,
        description="The host's kernel: a release such as 7.2.0-svsm, with * and ? as in file names; or the path of an "
        "image (bzImage), which the virtual host boots, and whose release every other host must run.",
        examples=["7.2.*-svsm*", "build/arch/x86/boot/bzImage"],
    )
    modules: str | None = Field(
        default=None,
        min_length=1,
        description="Folder of that image's modules, as `make modules_install INSTALL_MOD_PATH=` fills it. Left out: "
        "found by its release.",
    )

    @property
    def image(self) -> str | None:
        """Return the path of the kernel's image; None where a release, or nothing, is asked for."""
        return self.kernel if self.kernel is not None and "/" in self.kernel else None

    @model_validator(mode="after")
    def _modules_of_an_image(self) -> Self:
        if self.modules is not None and self.image is None:
            raise ValueError("host.modules are those of an image; name its path by host.kernel")
        return self
