"""The operations of Moorage's own service, for what AWS has none for."""

from collections.abc import Callable, Mapping
from typing import Any

from moorage.actions.explanations import Explanations
from moorage.core.calls import Call
from moorage.core.errors import InvalidParameter
from moorage.core.explanations import Question, document

Handler = Callable[[Call, dict[str, Any]], Mapping[str, Any] | None]


def operations(explanations: Explanations) -> dict[str, Handler]:
    """Return the handlers by the name of their operation."""

    def explain(call: Call, given: dict[str, Any]) -> Mapping[str, Any]:
        described = given.keys() & {"principal", "action", "resource", "context"}
        of_denial = given.get("lastDenial", False) or "requestId" in given
        if of_denial == bool(described) or (described and not {"principal", "action"} <= described):
            raise InvalidParameter("principal", "must be given with an action, or lastDenial, or requestId instead")
        if of_denial:
            found, said = explanations.asked_denied(call, given.get("requestId"))
            return {**document(found), "said": said}
        context = {key.lower(): value for key, value in given.get("context", {}).items()}
        question = Question(
            given["principal"], given["action"], given.get("resource", "*"), call.registry.region, context
        )
        return document(explanations.asked(call, question))

    return {"Explain": explain}
