"""Public class names are made of the glossary's words and of ordinary ones."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.documents import PATHS, ROOT, text_of

PACKAGES = ("gateway", "llm_simulator")
ROWS = re.findall(r"^\| `([^`]+)` \| (.+) \| (.+) \|$", text_of("glossary.md"), re.MULTILINE)

# Names of products and protocols, and words of every program. A term of the field belongs in docs/glossary.md instead.
NAMES = """
ai anthropic api claude cors gemini http http1 httpx json open openai openrouter otel postgres prometheus responses
router sql sqlite tls uvicorn yaml
"""
ORDINARY = """
abrupt account adapter add added address admin alive all allowed analyzer answer application argument array assembler
async audio auth authenticator auto available background balance bar base batch batchable block borrowed bound break
breakpoint broken buffer buffered builder built busy by cache cached caching calculator call callback cancel capped
cell change check checked choose chosen class clock close closed code column commit comparison compatible concurrency config
conflict connection content control conversation corroboration cost count counted counter course create created
current cut cycle daily damaged dashboard data database date dated day decision decoded decoder delay delete delivery
derived detector direct disconnected document down draining draw earlier empty encoded encoder encoding end ended
endpoint entry environment error evaluation example exceeded executor expected expired exponential fact failed failure
fair fallback fast fault feed fence field figure file filter find finding finishing fit fixed for forbidden format
found function gateway
generated group guard guarded handler has head header hour hybrid id identifier identity image implemented implicit import imported in
incoming incomplete index input insert instruction integrity interval invalid item job judged keep kind labelled large last
learning length level like limit limited line linear list listener load loaded log logged lookup loss lost marker
match mean means measured media memory merged meter metered method metric missing mode moment monitor multiprocess name names
native need new no not notification number object of on only opened operation operator option order origin orphan
outdated output overloaded owner pacer page parsed parser part path pending per period phase piece pipeline plain
planned planner point policy pool position predicted prefixes preflight prepared preview priced principal prior
priority problem process profile protected protocol proxy quality query queue random range ranked rate ratio raw read
reader ready receive received receiver recent recorded recover recovery redirect reference refresh refused registered
registry reject rejected
release reloader remove replace replay reply report request reset resolver response rest result retries revoke rewrite
rewriter role rolling rotate route routed routing row rule running sample schema scope score scored secret section
seed seeded seen seldom selected selection send sender sent sequence server service session set settings settle settled share shared
sign signal simulated simulation sink sliding sound source spending stale start started stat state statement
statistics status step stop stored strong subcommand summary switch table tag tail target task template test text
thinking thought thread time timed timeline timeout timer title to too total traffic transcript translator tree truncated
turn type unavailable uncertainty unit unreachable unsupported update upsert url use user validation validity value
vector version view visit waiter waiting walk warning watch weight weighted window wire with without word wrapper
write written
"""


def words_of(name: str) -> list[str]:
    """`SSEDecoder` is `sse` and `decoder`; `Http1Transport` is `http1` and `transport`."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]{2,}[0-9]*|[A-Z][a-z0-9]*", name)]


def known_words() -> set[str]:
    """Every allowed word with its plurals."""
    single = {*NAMES.split(), *ORDINARY.split(), *(word for term, _, _ in ROWS for word in term.split())}
    return single | {f"{word}s" for word in single} | {f"{word[:-1]}ies" for word in single if word.endswith("y")}


def public_classes() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    yield path.relative_to(ROOT).as_posix(), node.name


def test_class_names_are_made_of_known_words() -> None:
    """A word that is in neither list is a metaphor or a new term: rename the class, or add the term to the glossary."""
    known = known_words()
    unknown = {f"{path}: {name}": set(words_of(name)) - known for path, name in public_classes()}
    assert {place: sorted(words) for place, words in unknown.items() if words} == {}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SSEDecoder", ["sse", "decoder"]),
        ("UpstreamTLS", ["upstream", "tls"]),
        ("Http1Transport", ["http1", "transport"]),
        ("OpenAI", ["open", "ai"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_are_split_into_words(name: str, words: list[str]) -> None:
    """Acronyms and digits stay with their word."""
    assert words_of(name) == words


def test_each_word_has_one_row() -> None:
    """A term stands once, in lower case, and its section is sorted."""
    terms = [term for term, _, _ in ROWS]
    assert len(terms) == len(set(terms))
    assert terms == [term.lower() for term in terms]
    sections = text_of("glossary.md").split("\n## ")[1:]
    listed = [re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE) for section in sections]
    assert listed == [sorted(section) for section in listed]


def test_each_word_is_used() -> None:
    """Each term is in the code, in a name, a string or a docstring, or in another document."""
    code = (path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    documents = (path.read_text() for path in PATHS if path.name != "glossary.md")
    text = "\n".join([*code, *documents]).lower()
    assert [term for term, _, _ in ROWS if any(word not in text for word in term.split())] == []
