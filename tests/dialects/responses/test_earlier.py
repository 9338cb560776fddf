"""References to earlier responses."""

from __future__ import annotations

import pytest

from gateway.dialects.responses import EarlierItems, references, response_of
from gateway.dialects.responses.earlier import item_id
from gateway.errors import ItemNotFound
from tests.dialects.responses.bodies import CALL, RESULT, parsed, refused

EARLIER = EarlierItems(before=[{"role": "user", "content": "Weather?"}, CALL], by_id={"fc_r1_0": CALL}, found=True)


def test_references_of_a_body() -> None:
    """The previous response and the items that the input names, with or without their type; odd values are no references."""
    named = [{"type": "item_reference", "id": "rs_1"}, {"id": "msg_2"}, {"id": 7}, {"role": "user"}, "x"]
    assert references({"previous_response_id": "resp_1", "input": named}) == ("resp_1", ["rs_1", "msg_2"])
    assert references({"previous_response_id": 7, "input": "text"}) == (None, [])


def test_id_of_an_item_names_its_response() -> None:
    """The response of an item is found without an index; ids of other services name none."""
    assert response_of(item_id("msg", "ab_c", 3)) == "resp_ab_c"
    assert response_of("msg_68af4030baa48193b0b43b4c2a176a1a") is None


def test_earlier_items_come_first() -> None:
    """A result finds its call in the earlier response, and only the request's own items are its own."""
    request = parsed([RESULT], earlier=EARLIER, previous_response_id="resp_1", instructions="Be brief.")
    assert [message["role"] for message in request.chat.messages] == ["system", "user", "assistant", "tool"]
    assert list(request.items) == [RESULT]


def test_reference_is_replaced_by_its_item() -> None:
    """The item stands where the reference stood, and is kept in its place."""
    request = parsed([{"type": "item_reference", "id": "fc_r1_0"}, RESULT], earlier=EARLIER)
    assert list(request.items) == [CALL, RESULT]


def test_unknown_response_is_said_in_openais_words() -> None:
    """A previous response that is not there is an error, never ignored."""
    error = refused(previous_response_id="resp_1")
    assert (error.status, error.param, error.code) == (400, "previous_response_id", "previous_response_not_found")
    assert error.message.startswith("Previous response with id 'resp_1' not found.")


def test_unknown_item_is_said_in_openais_words() -> None:
    """An item that is not there is a 404, never ignored."""
    error = refused([{"type": "item_reference", "id": "rs_1"}])
    assert isinstance(error, ItemNotFound)
    assert (error.status, error.param) == (404, "input[0].id")
    assert error.message.startswith("Item with id 'rs_1' not found.")


@pytest.mark.parametrize("id", [7, "", None])
def test_reference_needs_an_id(id: object) -> None:
    """A reference without an id is invalid."""
    assert refused([{"type": "item_reference", "id": id}]).param == "input[0].id"
