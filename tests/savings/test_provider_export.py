"""Providers' exports."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.savings.provider_export import ExportError, read_export

OPENROUTER = """\
generation_id,created_at,cost_total,cost_web_search,cost_cache,cost_file_processing,byok_usage_inference,tokens_prompt,\
tokens_completion,tokens_reasoning,tokens_cached,model_permaslug,provider_name,variant
gen-1,2026-11-28 02:37:51.271,0.0215,0.02,-0.005,0,0.001,100,200,0,40,openai/gpt-4-turbo,OpenAI,standard
"""
USAGE = """\
usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,\
usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,\
web_search_count,inference_geo,speed
2026-11-28,claude-haiku-4-5-20251001,key,Default,standard,≤ 200k,100,20,10,5,7,0,not_available,
"""
COST = """\
usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,inference_geo
2026-11-28,Claude Haiku 4.5,Default,key,message,≤ 200k,input_no_cache,0.05,0.05,token,not_available
2026-11-28,,Default,key,message,,,0.10,0.10,web_search,not_available
2026-11-28,,Default,key,message,,,1,1,,
"""
PLAIN = "timestamp,model,input_tokens,output_tokens,cost_usd,request_id\n"
DAY = datetime(2026, 11, 28, tzinfo=UTC)


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def test_openrouter_activity_is_read() -> None:
    """OpenRouter's lines are requests with their id; what a customer's own key costs and what tools cost is known."""
    export = read_export(lines(OPENROUTER))
    assert (export.format, export.provider, export.daily) == ("OpenRouter activity", "openrouter", False)
    (entry,) = export.entries
    assert (entry.line, entry.id, entry.model) == (2, "gen-1", "openai/gpt-4-turbo")
    assert entry.moment == datetime(2026, 11, 28, 2, 37, 51, 271000, UTC) == export.first == export.last
    assert (entry.cost, entry.fees) == (Decimal("0.0225"), Decimal("0.02"))
    assert entry.usage is not None
    assert (entry.usage.prompt_tokens, entry.usage.completion_tokens, entry.usage.cached_tokens) == (100, 200, 40)


def test_anthropic_usage_is_read() -> None:
    """Anthropic's usage has tokens by day and no cost; cached tokens are part of the prompt."""
    export = read_export(lines(USAGE))
    assert (export.format, export.provider, export.daily) == ("Anthropic usage", "claude", True)
    (entry,) = export.entries
    assert (entry.moment, entry.cost) == (DAY, None)
    assert entry.usage is not None
    assert entry.usage[:5] == (135, 7, 5, 20, 10)
    assert export.last == datetime(2026, 11, 28, 23, 59, 59, 999999, UTC)


def test_anthropic_cost_is_read() -> None:
    """Anthropic's costs are by day, model and kind of tokens; what tools cost has no model."""
    export = read_export(lines(COST))
    assert (export.format, export.daily) == ("Anthropic cost", True)
    assert [(entry.model, entry.cost, entry.fees, entry.usage) for entry in export.entries] == [
        ("Claude Haiku 4.5", Decimal("0.05"), Decimal(0), None),
        ("web_search", Decimal("0.10"), Decimal("0.10"), None),
        ("(no model)", Decimal(1), Decimal(0), None),
    ]


def test_plain_file_is_read() -> None:
    """The plain format takes any order and further columns, blank lines, a dollar sign, quotes and times with a zone."""
    text = 'Model , cost_usd,note,input_tokens,output_tokens,timestamp\n"a",$0.5,x,1,,2026-11-28T02:00:00+02:00\n\n,-1,,,,\n'
    with pytest.raises(ExportError, match="line 4: timestamp is '', no time"):
        read_export(lines(text))
    export = read_export(lines(text.replace(",-1,,,,", "b,-1,,,,2026-11-28 01:00:00 UTC")))
    first, second = export.entries
    assert (export.format, export.provider, export.daily) == ("plain", None, False)
    assert (first.moment, first.cost, first.id) == (DAY, Decimal("0.5"), None)
    assert (second.line, second.cost) == (4, Decimal(-1))


def test_plain_file_with_dates_only_is_daily() -> None:
    """Where every time is a date, lines are sums of days."""
    assert read_export(lines(PLAIN + "2026-11-28,m,1,1,0.5,\n")).daily


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no known export: its columns are nothing"),
        ("a;b\n1;2\n", "line 1: no known export: its columns are a;b.*plain .timestamp, model"),
        (PLAIN, "no entries"),
        (PLAIN + "2026-11-28,m,1,1\n", "line 2 has 4 fields, the header has 6"),
        (PLAIN + "2026-11-28,m,1,1,much,\n", "line 2: cost_usd is 'much', no amount in USD"),
        (PLAIN + "2026-11-28,m,1,1,nan,\n", "line 2: cost_usd is 'nan', no amount"),
        (PLAIN + "2026-11-28,m,1,1,1e99,\n", "line 2: cost_usd is '1e99', no amount"),
        (PLAIN + "\n2026-11-28,m,-1,1,0,\n", "line 3: input_tokens is '-1', no number of tokens"),
        (PLAIN + "2026-11-28,m,1,1.5,0,\n", "line 2: output_tokens is '1.5', no number"),
        (PLAIN + "soon,m,1,1,0,\n", "line 2: timestamp is 'soon', no time"),
        (PLAIN + '2026-11-28,"m\n', "line 2: no CSV"),
    ],
)
def test_bad_file_says_what_where_and_what_to_do(text: str, message: str) -> None:
    """A file that cannot be read names its line, what is wrong with it and what to do."""
    with pytest.raises(ExportError, match=message):
        read_export(lines(text))


def test_number_of_lines_is_bounded() -> None:
    """A file of more lines than are read at most is refused, before it fills the memory."""
    endless = chain([PLAIN], repeat("\n"))
    with pytest.raises(ExportError, match="more than 1,000,000 lines"):
        read_export(endless)


@given(st.text(alphabet='0,-."\n2:TZé $', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever stands in a file, the end is entries or a sentence."""
    with suppress(ExportError):
        assert read_export(lines(PLAIN + text)).entries
