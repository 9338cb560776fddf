"""YAML files with the line of every value, and the problems found in them. The loader is a safe one: it builds plain data only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from gateway.catalog.packaged import SafeLoader

YamlPath = tuple[str | int, ...]
# Deeper than any schema goes; it also ends the walk through an anchor that contains itself.
DEEPEST = 6


@dataclass(slots=True)
class ConfigProblems:
    """Sentences for the operator, each beginning with the place to correct. Problems prevent the start, warnings are shown at it."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class YamlFile:
    """What a file says, and the line (from 1) of each key and item by its place: `("models", 2, "tier")`."""

    path: Path
    data: Mapping[str, Any]
    lines: Mapping[YamlPath, int] = field(default_factory=dict)

    def at(self, place: YamlPath) -> str:
        """`file:line` of a place, or of the nearest enclosing one in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.path}:{self.lines[place]}" if place else f"{self.path}"

    def problem(self, place: YamlPath, sentence: str) -> str:
        return f"{self.at(place)}: {dotted(place)}: {sentence}"


def dotted(place: YamlPath) -> str:
    """`models[2].tier`"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def read_document(path: Path, config_problems: ConfigProblems) -> YamlFile:
    """The file's mapping, empty when it cannot be read; what is wrong with it is a finding."""
    empty = YamlFile(path, {})
    problems = config_problems.problems
    try:
        loader = SafeLoader(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problems.append(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}")
        return empty
    try:
        node = loader.get_single_node()
        if node is None:
            return empty
        lines: dict[YamlPath, int] = {}
        problems += [f"{path}:{line}: {sentence}" for line, sentence in _walk(node, (), lines)]
        data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        problems.append(f"{path}{line}: not valid YAML: {error.problem}")
        return empty
    except (yaml.YAMLError, ValueError) as error:
        problems.append(f"{path}: not valid YAML: {error}")
        return empty
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        problems.append(f"{path}:1: the file has to be a mapping of keys to values")
        return empty
    return YamlFile(path, data, lines)


def with_current_value(
    document: YamlFile, place: tuple[str, str], renamed: Mapping[str, str], config_problems: ConfigProblems
) -> YamlFile:
    """The document with the value at `place` (section, key) under its new name; a value with its old name is a warning."""
    section, key = place
    values = document.data.get(section)
    if not isinstance(values, dict):
        return document
    old = values.get(key)
    if not isinstance(old, str) or old not in renamed:
        return document
    sentence = f"{old!r} is now called {renamed[old]!r}; the old name will be removed"
    config_problems.warnings.append(document.problem(place, sentence))
    return replace(document, data={**document.data, section: {**values, key: renamed[old]}})


def _walk(node: yaml.Node, place: YamlPath, lines: dict[YamlPath, int]) -> Iterator[tuple[int, str]]:
    """Notes the line of everything below `node`; yields (line, sentence) for keys that stand twice."""
    if len(place) >= DEEPEST:
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*place, str(key.value))
            line = key.start_mark.line + 1
            if below in lines:
                yield line, f"{dotted(below)}: the key stands twice, first in line {lines[below]}"
            lines[below] = line
            yield from _walk(value, below, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*place, index] = item.start_mark.line + 1
            yield from _walk(item, (*place, index), lines)
