"""Which kernel modules must be loaded for a given set, and in which order: what depmod found out.

Soft dependencies matter as much as links: libcrc32c asks the kernel's crypto layer for crc32c by
name, and with no modprobe in an initramfs the answer must be there already.
"""

import dataclasses
import fnmatch
import os

from failure import INTERNAL, Failure


def _name(path):
    """The module's name as the kernel writes it: kernel/fs/a-b.ko → a_b."""
    return os.path.basename(path).split(".ko", 1)[0].replace("-", "_")


@dataclasses.dataclass
class Index:
    paths: dict  # module name → path below the folder
    depends: dict  # module name → names of modules it links to, in the order of modules.dep
    soft: dict  # module name → names or aliases to load before it
    aliases: list  # (pattern, module name)
    builtin: set  # module names that are part of the kernel

    @staticmethod
    def read(folder):
        index = Index({}, {}, {}, [], set())
        for words in _lines(f"{folder}/modules.dep"):
            path = words[0].rstrip(":")
            index.paths[_name(path)] = path
            index.depends[_name(path)] = [_name(other) for other in words[1:]]
        for words in _lines(f"{folder}/modules.softdep"):
            index.soft.setdefault(words[1].replace("-", "_"), []).extend(_before(words[2:]))
        for words in _lines(f"{folder}/modules.alias"):
            index.aliases.append((words[1].replace("-", "_"), words[2].replace("-", "_")))
        index.builtin = {_name(words[0]) for words in _lines(f"{folder}/modules.builtin")}
        return index

    def resolve(self, name):
        """Modules that answer to a name or an alias; none when it is part of the kernel."""
        name = name.replace("-", "_")
        if name in self.paths:
            return [name]
        found = [module for pattern, module in self.aliases
                 if fnmatch.fnmatchcase(name, pattern) and module in self.paths]
        return sorted(set(found))


def load_order(index, wanted):
    """Paths of the wanted modules and of all they need, each after what it needs."""
    order = []
    for name in wanted:
        modules = index.resolve(name)
        if not modules and name not in index.builtin:
            raise Failure(INTERNAL, f"the kernel package has no module {name}")
        for module in modules:
            _visit(index, module, order, ())
    return [index.paths[name] for name in order]


def _visit(index, name, order, above):
    if name in order or name in above:
        return
    above = (*above, name)
    for soft in index.soft.get(name, []):
        for module in index.resolve(soft):
            _visit(index, module, order, above)
    # modules.dep lists what is needed last to first.
    for other in reversed(index.depends[name]):
        _visit(index, other, order, above)
    order.append(name)


def _before(words):
    """The names after `pre:` in a line `softdep NAME pre: A B post: C`."""
    names, before = [], False
    for word in words:
        if word in ("pre:", "post:"):
            before = word == "pre:"
        elif before:
            names.append(word)
    return names


def _lines(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words and not words[0].startswith("#"):
                yield words
