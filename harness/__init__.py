"""Boot SVSM and VMPL configurations under QEMU/KVM, watch them, and judge what they did.

A scenario (YAML) becomes a QEMU command line, is booted on a host, watched from outside and inside, and judged by
pure functions over the evidence that was kept. The layers, lowest first:

``errors`` ``clock`` ``units``
    What everything shares.
``scenario`` ``evidence`` ``classify``
    Bytes and text to frozen values; no socket, process, clock or environment.
``checks``
    Evidence and an expectation to a :class:`~harness.checks.verdict.Verdict`.
``qemu`` ``guest`` ``host`` ``results``
    The edges: processes, sockets, files.
``boot`` ``campaign``
    One boot; many boots.
``cli`` ``pytest_plugin``
    The only places that print or exit.
"""

__version__ = "0.1.0"
