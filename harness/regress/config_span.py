"""Search the differences of two kernel configurations: each position is a tree built with a merge of both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.errors import InputError
from harness.regress.build import Builder, BuildFailed, Built, Config
from harness.regress.difference import Difference, apply_differences
from harness.regress.git_range import Commit
from harness.regress.kconfig import ABSENT, changed_back, config_identity, render_config
from harness.regress.kernel_value import HOST_KEYS
from harness.regress.span import CannotTest, Place, Span

__all__ = ["ConfigTree", "config_differences"]

_NAMED = 3


@dataclass
class ConfigTree:
    """Build ``commit`` under merges of ``good`` and another configuration, put at ``path`` in the worktree.

    What is built goes into ``variable``. ``say`` gets a sentence about each symbol, once, that a build changed back:
    ``make olddefconfig`` drops what depends on something that is off.
    """

    builder: Builder
    commit: Commit
    variable: str
    path: str
    good: Mapping[str, str]
    say: Callable[[str], None]
    _built: dict[str, Built] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    def span(self, needed: Sequence[Difference], pool: Sequence[Difference]) -> Span:
        """Search which of ``pool`` the failure needs, with ``needed`` in place: position i has the first i of it."""

        def prepare(position: int) -> Place:
            applied = [*needed, *pool[:position]]
            built = self.build(applied)
            self._mention(applied, labels[position], built)
            return Place({self.variable: str(built.path)}, built.digest, built.took_s)

        begin = "with " + ", ".join(one.label for one in needed) if needed else "the good configuration"
        names = tuple(difference.label for difference in pool)
        labels = (begin, *names)
        hosts: tuple[str, ...] = ()
        if self.variable in HOST_KEYS:
            hosts = tuple(_which([*needed, *pool[:position]]) for position in range(len(labels)))
        return Span("differences of kernel configurations", labels, names, prepare, hosts, builds=True)

    def build(self, applied: Sequence[Difference]) -> Built:
        """Build with ``applied`` made bad; once, whoever asks.

        :raise CannotTest: if it cannot be built.
        """
        text = self._text(applied)
        if text not in self._built:
            try:
                self._built[text] = self.builder.build(self.commit, Config(self.path, text))
            except BuildFailed as error:
                raise CannotTest(str(error)) from error
        return self._built[text]

    def require_difference(self, found: Sequence[Difference]) -> None:
        """Build both ends, and check that the builds have not made them the same.

        :raise InputError: if they have, naming symbols that were changed back; or if one cannot be built.
        """
        ends = []
        for name, applied in (("good", ()), ("bad", tuple(found))):
            try:
                ends.append(self.build(applied))
            except CannotTest as error:
                raise InputError(f"the {name} configuration cannot be tested: {error}") from error
        used = [end.used or {} for end in ends]
        if config_identity(used[0]) == config_identity(used[1]):
            back = changed_back(apply_differences(self.good, found), used[1], [one.key for one in found])
            raise InputError(
                f"the build makes the same of both configurations: {_listed(back) or 'no difference counts'}; what a "
                "symbol depends on may be off in both, or be absent from this tree"
            )

    def brought_along(self, needed: Sequence[Difference]) -> list[str]:
        """Say what else the build changed because of ``needed``: what they select, or what they let in by default.

        Empty if that is nothing, or it cannot be built.
        """
        try:
            before, after = self.build(()).used or {}, self.build(needed).used or {}
        except CannotTest:
            return []
        named = {one.key for one in needed}
        changed = changed_back(before, after, [symbol for symbol in {**before, **after} if symbol not in named])
        return [f"the build changes with it: {_listed(changed)}"] if changed else []

    def _text(self, applied: Sequence[Difference]) -> str:
        return render_config(apply_differences(self.good, applied))

    def _mention(self, applied: Sequence[Difference], label: str, built: Built) -> None:
        asked = {one.key: one.bad for one in applied}
        back = changed_back(asked, built.used or {}, [key for key in asked if key not in self._said])
        self._said |= back.keys()
        if back:
            self.say(f"{label}: the build did not take all: {_listed(back)}; what they depend on may come later")


def config_differences(good: Mapping[str, str], bad: Mapping[str, str]) -> tuple[Difference, ...]:
    """Return each symbol that differs: in the order of ``bad``, then those that only ``good`` mentions.

    A configuration that a kernel wrote names a symbol after those that it depends on, so that few positions on the way
    from good to bad ask for what cannot be had yet.

    :raise InputError: if nothing differs.
    """
    symbols = [*bad, *(symbol for symbol in good if symbol not in bad)]
    pairs = [(symbol, good.get(symbol, ABSENT), bad.get(symbol, ABSENT)) for symbol in symbols]
    found = tuple(Difference(symbol, before, after) for symbol, before, after in pairs if before != after)
    if not found:
        raise InputError(
            "the two configurations do not differ; give what is good with --good-config, what is bad with --bad-config"
        )
    return found


def _which(applied: Sequence[Difference]) -> str:
    return hashlib.sha256("\0".join(sorted(one.key for one in applied)).encode()).hexdigest()


def _listed(changed: Mapping[str, str]) -> str:
    shown = [f"{symbol} is {value}" for symbol, value in changed.items()]
    more = f", and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return ", ".join(shown[:_NAMED]) + more
