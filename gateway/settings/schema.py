"""The schema of the YAML files, and a sentence for each deviation from it."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FilePath,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from gateway.catalog.catalog import ABILITIES, Tier
from gateway.completion import Cascading
from gateway.observability.alerts import AlertEvent
from gateway.observability.webhooks import WebhookFormat
from gateway.settings.settings import (
    CachingMode,
    Durability,
    Engine,
    LedgerFailure,
    Mode,
    ResponseStore,
    Telemetry,
)
from gateway.settings.yaml_file import ConfigProblems, YamlFile, YamlPath
from gateway.trace_context import TraceForwarding


def _no_key(header: str) -> str:
    if header in ("x-api-key", "x-goog-api-key"):
        raise ValueError(f"{header} carries a key, which must not get into the ledger; take another header")
    return header


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0, lt=600)]
LongSeconds = Annotated[float, Field(gt=0, le=86_400)]
PauseSeconds = Annotated[float, Field(ge=0, lt=600)]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Origin = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9._\[\]:-]+/?$")]
WebhookUrl = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9._\[\]:-]+(/[!-~]*)?$")]
Tokens = Annotated[int, Field(ge=1)]
TagName = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:/ -][A-Za-z0-9._:/ -]{0,63}$")]
# In lower case, as the server has headers. A header that carries a key must not end up in the ledger.
HeaderName = Annotated[str, Field(pattern=r"^x-[a-z0-9-]+$"), AfterValidator(_no_key)]

# `public`, `off`, or a figure (standard deviations) for each full name.
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Strengths = Literal["public", "off"] | dict[str, Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)] | None]


class Section(BaseModel):
    """Unknown keys are errors, and `"8000"` is not a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TimeoutsSection(Section):
    connect: Seconds | None = None
    first_byte: LongSeconds | None = None
    thinking: LongSeconds | None = None
    idle: LongSeconds | None = None
    total: LongSeconds | None = None
    stream: LongSeconds | None = None


class LimitsSection(Section):
    body_bytes: Annotated[int, Field(ge=1)] | None = None
    bodies_bytes: Annotated[int, Field(ge=1)] | None = None
    in_flight: Annotated[int, Field(ge=1)] | None = None
    queue: Annotated[int, Field(ge=0)] | None = None
    queue_wait: Seconds | None = None


class TransportSection(Section):
    engine: Engine | None = None
    ca_file: Annotated[FilePath, Field(strict=False)] | None = None


class ResponsesSection(Section):
    store: ResponseStore | None = None
    ttl: Annotated[float, Field(gt=0, le=31_536_000)] | None = None

    @field_validator("store", mode="before")
    @classmethod
    def off(cls, value: object) -> object:
        """YAML reads a bare `off` as false."""
        return "off" if value is False else value


class JudgeSection(Section):
    model: str
    share: Share | None = None
    daily_usd: Dollars | None = None


class WebhookRow(Section):
    url: WebhookUrl
    format: WebhookFormat | None = None
    events: Annotated[list[AlertEvent], Field(min_length=1)] | None = None


class GatewayFile(Section):
    """gateway.yaml"""

    host: str | None = None
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    workers: Annotated[int, Field(ge=1, le=64)] | None = None
    db: str | None = None
    durability: Durability | None = None
    tradeoffs: dict[Name, Share] | None = None
    strengths: Strengths | None = None
    baseline: str | None = None
    holdback: Share | None = None
    holdback_daily_usd: Dollars | None = None
    quality_floor: Share | None = None
    judge: JudgeSection | None = None
    aliases: dict[str, str] | None = None
    transport: TransportSection | None = None
    timeouts: TimeoutsSection | None = None
    keep_alive: Seconds | None = None
    limits: LimitsSection | None = None
    max_attempts: Annotated[int, Field(ge=1, le=3)] | None = None
    mode: Mode | None = None
    cascade: Cascading | None = None
    prompt_caching: CachingMode | None = None
    allowed_hosts: list[str] | None = None
    cors_origins: list[Origin] | None = None
    record_features: bool | None = None
    store_content: bool | None = None
    content_retention_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    tag_header: HeaderName | None = None
    corroborating_keys: Annotated[int, Field(ge=1, le=100)] | None = None
    on_ledger_failure: LedgerFailure | None = None
    responses: ResponsesSection | None = None
    daily_budget_usd: Annotated[float, Field(gt=0, le=1e9)] | None = None
    webhooks: Annotated[list[WebhookRow], Field(max_length=10)] | None = None
    telemetry: Telemetry | None = None
    metrics_key_labels: bool | None = None
    metrics_tag_labels: Annotated[list[TagName], Field(max_length=8)] | None = None
    drain_delay: PauseSeconds | None = None
    grace: PauseSeconds | None = None

    @field_validator("cascade", "prompt_caching", "strengths", "telemetry", mode="before")
    @classmethod
    def off(cls, value: object) -> object:
        """YAML reads a bare `off` as false."""
        return "off" if value is False else value


class ProviderRow(Section):
    name: Name
    kind: Name
    base_url: str
    base_url_env: Variable | None = None
    api_key_env: Variable | None = None
    headers: (
        dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")], Annotated[str, Field(pattern=r"^[ -~]*$")]] | None
    ) = None
    timeouts: TimeoutsSection | None = None
    trace_context: TraceForwarding | None = None

    @field_validator("trace_context", mode="before")
    @classmethod
    def off(cls, value: object) -> object:
        """YAML reads a bare `off` as false."""
        return "off" if value is False else value


class ProvidersFile(Section):
    """providers.yaml"""

    providers: list[ProviderRow]


class PricesSection(Section):
    input: Dollars
    output: Dollars
    cache_read: Dollars | None = None
    cache_write: Dollars | None = None
    cache_write_1h: Dollars | None = None
    input_audio: Dollars | None = None
    output_audio: Dollars | None = None
    output_image: Dollars | None = None
    output_video: Dollars | None = None


class ModelRow(Section):
    id: str
    provider: Name
    tier: Tier
    context_window: Tokens | None = None
    max_output: Tokens | None = None
    abilities: list[str] | None = None
    efforts: list[Effort] | None = None
    created: date | None = None
    retires: date | None = None
    prices: PricesSection | None = None
    timeouts: TimeoutsSection | None = None

    @field_validator("abilities")
    @classmethod
    def known(cls, abilities: list[str] | None) -> list[str] | None:
        if unknown := sorted(set(abilities or ()) - ABILITIES):
            raise ValueError(f"no such ability: {', '.join(unknown)} (there are {', '.join(sorted(ABILITIES))})")
        return abilities

    @field_validator("efforts")
    @classmethod
    def of_a_reasoning_model(cls, efforts: list[Effort] | None, info: ValidationInfo) -> list[Effort] | None:
        abilities = info.data.get("abilities")
        if efforts and abilities is not None and "reasoning" not in abilities:
            raise ValueError("only models with the ability `reasoning` have efforts")
        return efforts


class ModelsFile(Section):
    """models.yaml"""

    models: list[ModelRow]
    aliases: dict[str, str] | None = None


Schema = TypeVar("Schema", bound=Section)


def validated(document: YamlFile, schema: type[Schema], config_problems: ConfigProblems) -> Schema | None:
    """The document in the form of `schema`, with a problem for every deviation, each with its line.

    What deviates is left out, so that the rest can be checked further; None where that cannot be done.
    """
    try:
        return schema.model_validate(document.data)
    except ValidationError as error:
        broken = {str(deviation["loc"][0]) for deviation in error.errors() if deviation["loc"]}
        for deviation in error.errors(include_url=False, include_input=False):
            place = _place(document, deviation["loc"])
            sentence = deviation["msg"].removeprefix("Value error, ")
            if deviation["type"] == "extra_forbidden":
                sentence = "unknown key" + _did_you_mean(str(place[-1]), _fields_at(schema, place[:-1]))
            config_problems.problems.append(document.problem(place, sentence))
    try:
        return schema.model_validate({key: value for key, value in document.data.items() if str(key) not in broken})
    except ValidationError:
        return None


def set_values(section: Section | None) -> dict[str, Any]:
    """What the section says, without the keys it leaves out or empty."""
    values = {} if section is None else {name: getattr(section, name) for name in section.model_fields_set}
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if value is not None
    }


def _place(document: YamlFile, location: Sequence[str | int]) -> YamlPath:
    """Where pydantic's location is in the file, in which every key is text."""
    place: YamlPath = ()
    for part in location:
        if part != "[key]":
            place = (*place, part if (*place, part) in document.lines else str(part))
    return place


def _did_you_mean(word: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f" (known are {', '.join(known)})"


def _fields_at(schema: type[BaseModel], place: tuple[str | int, ...]) -> Mapping[str, Any]:
    """The fields of the section at `place`."""
    for part in place:
        if isinstance(part, str):
            schema = _section_in(schema.model_fields[part].annotation)
    return schema.model_fields


def _section_in(annotation: Any) -> type[BaseModel]:
    """The section class within `Section | None` or `list[Section]`."""
    if isinstance(annotation, type):
        return annotation
    return next(_section_in(part) for part in get_args(annotation) if part is not types.NoneType)
