"""Describes each route for OpenAPI: its purpose, its request and its successful answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.api.feedback import FeedbackBody
from gateway.api.openapi import chat, completions, embeddings, messages, responses, responses_api
from gateway.api.openapi.json_schema import JSON, Schema, named, one_of, record, text, whole
from gateway.api.reports import FILTERS, MAX_DAYS, MAX_ROWS
from gateway.api.stored_responses import MAX_ITEMS
from gateway.savings.ledger_report import BY

EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Operation:
    """`answers` are schemas by media type, `failures` the error statuses beside those that every route of its access has.

    `others` are further statuses that are no errors in OpenAI's shape, `headers` those of an answer, each with its meaning.
    `error` names the schema of errors.
    """

    id: str
    summary: str
    answers: Mapping[str, Schema]
    parameters: Sequence[Schema] = ()
    body: Schema | None = None
    failures: Sequence[int] = ()
    others: Mapping[int, Schema] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = "Error"


SCHEMAS: Mapping[str, Schema] = {
    "ChatRequest": chat.REQUEST,
    "ChatMessage": chat.MESSAGE,
    "ChatCompletion": chat.COMPLETION,
    "CompletionRequest": completions.REQUEST,
    "TextCompletion": completions.COMPLETION,
    "MessagesRequest": messages.REQUEST,
    "CountTokensRequest": messages.COUNT_REQUEST,
    "Message": messages.MESSAGE,
    "AnthropicError": messages.ERROR,
    "Usage": chat.USAGE,
    "EmbeddingRequest": embeddings.REQUEST,
    "Embeddings": embeddings.EMBEDDINGS,
    "ResponsesRequest": responses_api.REQUEST,
    "Response": responses_api.RESPONSE,
    "DeletedResponse": responses_api.DELETED,
    "InputItems": responses_api.INPUT_ITEMS,
    "Error": responses.ERROR,
    "Model": responses.MODEL,
    "Models": responses.MODELS,
    "Decision": responses.DECISION,
    "FeedbackRequest": FeedbackBody.model_json_schema(),
    "Feedback": responses.FEEDBACK,
    "Summary": responses.SUMMARY,
    "Report": responses.REPORT,
    "Confidence": responses.CONFIDENCE,
    "Patterns": responses.PATTERNS,
    "Timeline": responses.TIMELINE,
    "Row": responses.ROW,
    "Rows": responses.ROWS,
    "WholeRow": responses.WHOLE_ROW,
    "Health": responses.HEALTH,
    "Description": responses.DESCRIPTION,
}


def _query(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _path(name: str, description: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": text(minLength=1), "description": description}


_AUTO_ROUTE = _query(
    "auto_route",
    one_of("true", "false", "1", "0", "shadow"),
    "Whether learned routing decides; `shadow` only records what it would have done.",
)
# What every reader understands; the gateway takes a date with a time too.
_MOMENT = text(pattern="^([0-9]{1,4}[smhdw]|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]))$")
_PERIOD = tuple(
    _query(name, _MOMENT, f"{bound}: a time ago (`7d`, `36h`) or a date.")
    for name, bound in (("since", "From"), ("until", "To"))
)
_BY = text(pattern="^(model|pattern|key|provider|day|session|tag:[A-Za-z0-9_.-]{1,64})$")
_DAYS = _query("days", {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_DAYS, "default": 30}, "How far back.")

_RESPONSE_ID = _path("response_id", "`id` of the response.")
_TAG = _query("tag:NAME", text(), "Only rows with this value of the tag NAME; may be given for several tags.")

# Headers of chat answers; those of errors after routing are the same.
_ROUTED = {
    "x-request-id": "The request's id in the ledger; on every answer, errors too.",
    "x-gateway-provider": "Who answered.",
    "x-gateway-model": "Its model, by the provider's own id.",
    "x-gateway-strategy": "`hybrid`, `complexity` or `pinned`.",
    "x-gateway-confidence": "`high`, `medium`, `low`, or `none`.",
    "x-gateway-pattern": "The kind of prompt, or `none`.",
    "x-gateway-complexity": "0 to 1, or `none`.",
    "x-gateway-reason": "The decision in a sentence.",
    "x-gateway-baseline-model": "What savings are counted against.",
    "x-gateway-session-budget": "The spent share of the session's budget, from 0.8 on.",
    "x-gateway-holdback": "`true` where the holdback sent the conversation to the baseline, otherwise absent.",
    "x-gateway-attempts": "How many upstreams were called.",
    "x-gateway-fallback": "`true` or `false`.",
    "x-gateway-dropped": "Members of the request that are left out, where there are any.",
    "x-gateway-cost": "USD, or `unknown`; not in streams.",
    "x-gateway-baseline-cost": "USD, or `unknown`; not in streams.",
}


def _completion(id: str, summary: str, *, body: str, answer: str, events: Schema) -> Operation:
    return Operation(
        id=id,
        summary=summary,
        answers={JSON: named(answer), EVENTS: events},
        parameters=(_AUTO_ROUTE,),
        body=named(body),
        failures=(404, 413, 415, 422, 502, 503, 504),
        headers=_ROUTED,
    )


def _report(id: str, summary: str, schema: str) -> Operation:
    return Operation(id, summary, {JSON: named(schema)}, parameters=(_DAYS,))


def _with_short_paths(operations: Mapping[str, Operation]) -> dict[str, Operation]:
    """Each operation below `/v1/` also without it."""
    found = dict(operations)
    for name, operation in operations.items():
        method, _, path = name.partition(" /v1/")
        if path:
            summary = f"The same as {method} /v1/{path}, for clients that leave `/v1` out."
            found[f"{method} /{path}"] = replace(operation, id=f"{operation.id}_without_v1", summary=summary)
    return found


OPERATIONS: Mapping[str, Operation] = _with_short_paths(
    {
        "POST /v1/completions": _completion(
            "completions",
            "A text completion, in the form before chat, or its chunks as server-sent events.",
            body="CompletionRequest",
            answer="TextCompletion",
            events=text("Chunks, then `[DONE]`; or an error event."),
        ),
        "POST /v1/embeddings": Operation(
            "embeddings",
            "Vectors of texts, by the model that is named.",
            {JSON: named("Embeddings")},
            body=named("EmbeddingRequest"),
            failures=(404, 413, 415, 422, 502, 503, 504),
            headers=_ROUTED,
        ),
        "POST /v1/messages": Operation(
            "messages",
            "Anthropic's Messages API, for any model.",
            {JSON: named("Message"), EVENTS: text("Anthropic's events, the last one `message_stop` or `error`.")},
            parameters=(_AUTO_ROUTE,),
            body=named("MessagesRequest"),
            failures=(404, 413, 415, 422, 502, 503, 504),
            error="AnthropicError",
            headers={"request-id": "The same as `x-request-id`, by the name that Anthropic's SDKs read.", **_ROUTED},
        ),
        "POST /v1/messages/count_tokens": Operation(
            "count_tokens",
            "The number of tokens of a Messages request; free.",
            {JSON: record({"input_tokens": whole(low=0)})},
            body=named("CountTokensRequest"),
            error="AnthropicError",
            failures=(404, 413, 415, 502, 503, 504),
        ),
        "POST /v1/chat/completions": _completion(
            "chat",
            "A chat completion, or its chunks as server-sent events.",
            body="ChatRequest",
            answer="ChatCompletion",
            events=text("Chunks, then `[DONE]`; or an error event."),
        ),
        "POST /v1/responses": _completion(
            "create_response",
            "OpenAI's Responses: a response, or its events.",
            body="ResponsesRequest",
            answer="Response",
            events=responses_api.EVENT,
        ),
        "GET /v1/responses/{response_id}": Operation(
            "response",
            "A response that is kept for the key that asked for it.",
            {JSON: named("Response")},
            parameters=(_RESPONSE_ID,),
            failures=(404,),
        ),
        "DELETE /v1/responses/{response_id}": Operation(
            "delete_response",
            "Forget a response.",
            {JSON: named("DeletedResponse")},
            parameters=(_RESPONSE_ID,),
            failures=(404, 503),
        ),
        "GET /v1/responses/{response_id}/input_items": Operation(
            "input_items",
            "The input items of a response, newest first.",
            {JSON: named("InputItems")},
            parameters=(
                _RESPONSE_ID,
                _query("limit", {**whole(low=1, high=MAX_ITEMS), "default": 20}, "How many items."),
                _query("order", one_of("asc", "desc"), "By time; `desc` unless given."),
                _query("after", text(), "The last id of the page before."),
            ),
            failures=(404,),
        ),
        "GET /v1/models": Operation("models", "The available models, `auto` first.", {JSON: named("Models")}),
        "GET /v1/models/{model}": Operation(
            "model",
            "One of the models; slashes in its name need no escaping.",
            {JSON: named("Model")},
            parameters=(_path("model", "A name, such as `gemini/gemini-3.8-flash`."),),
            failures=(404,),
        ),
        "POST /v1/route": Operation(
            "route",
            "The decision for a chat request, every candidate and why; no upstream is called.",
            {JSON: named("Decision")},
            parameters=(_AUTO_ROUTE,),
            body=named("ChatRequest"),
            failures=(404, 413, 415, 503),
        ),
        "POST /v1/feedback": Operation(
            "feedback",
            "A client's rating of an answer, a session or a tag: once for each request, within 30 days.",
            {JSON: named("Feedback")},
            body=named("FeedbackRequest"),
            failures=(404, 409, 413, 415, 503),
        ),
        "GET /v1/routing/summary": _report("summary", "The ledger's sums.", "Summary"),
        "GET /v1/routing/report": Operation(
            "report",
            "Spent, baseline and saved with intervals, evidence and quality; the same as `gateway report --json`.",
            {JSON: named("Report")},
            parameters=(
                *_PERIOD,
                _query("by", _BY, f"A breakdown by {', '.join(BY)}."),
                _query("key", text(), "A key's id."),
            ),
        ),
        "GET /v1/routing/confidence": _report("confidence", "Routed decisions by confidence.", "Confidence"),
        "GET /v1/routing/patterns": _report("patterns", "Routed decisions by model and pattern.", "Patterns"),
        "GET /v1/routing/timeline": _report("timeline", "The sums by hour (up to three days) or day.", "Timeline"),
        "GET /v1/routing/requests": Operation(
            "requests",
            "The ledger's rows, newest first.",
            {JSON: named("Rows"), "text/csv": text()},
            parameters=(
                _query("limit", {**whole(low=0, high=MAX_ROWS), "default": 50}, "How many rows."),
                _query("before", whole(low=0, high=2**62), "`next_before` of the page before."),
                *_PERIOD,
                *(
                    _query(name, text(), f"Only rows with this value in `{column}`.")
                    for name, column in FILTERS.items()
                ),
                _query("format", one_of("json", "csv"), "`csv` exports all rows that the filters leave."),
                _TAG,
            ),
        ),
        "GET /v1/routing/requests/{request_id}": Operation(
            "request",
            "One row with its attempts and feedback.",
            {JSON: named("WholeRow")},
            parameters=(_path("request_id", "`x-request-id` of the answer."),),
            failures=(404,),
        ),
        "GET /metrics": Operation("metrics", "Figures for Prometheus.", {"text/plain": text()}),
        "GET /": Operation("dashboard", "The dashboard, for a browser.", {"text/html": text()}, parameters=_PERIOD),
        "GET /static/{name}": Operation(
            "static",
            "A file of the dashboard: its style sheet, script and icon.",
            {"text/css": text()},
            parameters=(_path("name", "`dashboard.css`, `dashboard.js` or `icon.svg`"),),
            failures=(404,),
        ),
        "GET /healthz": Operation("healthz", "Whether the process answers.", {JSON: named("Health")}),
        "GET /health": Operation("health", "The same.", {JSON: named("Health")}),
        "GET /readyz": Operation(
            "readyz",
            "Whether requests can be served; 503 while starting or draining, or when the ledger cannot be written.",
            {JSON: named("Health")},
            others={503: named("Health")},
        ),
        "GET /openapi.json": Operation("openapi", "This description.", {JSON: named("Description")}),
    }
)
