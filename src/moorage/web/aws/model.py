"""The service models: AWS's, read from botocore, and one of our own in the same form; which operations exist, what goes in and comes out.

Only ``botocore.loaders`` and ``botocore.model`` are imported; a session, with its credentials and endpoints, is a client's
business. Each service is loaded at its first request.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

SERVICES = ("ecr", "iam", "sts")
OWN = "moorage"
"""The service for what AWS has no operation for."""
_OWN_MODELS = str(Path(__file__).with_name("models"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a service; ``input`` and ``output`` are botocore shapes, or None where the model has none."""

    name: str
    input: Any
    output: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service, by its signing name.

    ``target_prefix`` is what ``X-Amz-Target`` begins with (JSON only); ``namespace`` is that of the XML answers (query
    only). ``protocol`` is ``json`` or ``query``.
    """

    name: str
    protocol: str
    version: str
    target_prefix: str
    namespace: str
    operations: frozenset[str]
    model: Any

    def operation(self, name: str) -> Operation | None:
        """Return the operation of that exact name, or None."""
        return _operation(self.name, name) if name in self.operations else None


@cache
def _operation(of: str, name: str) -> Operation:
    found = service(of).model.operation_model(name)
    return Operation(name=name, input=found.input_shape, output=found.output_shape)


@cache
def service(name: str) -> Service:
    """Return one of SERVICES, or OWN, loaded at its first use.

    Models that a user keeps for the AWS CLI in ``~/.aws/models`` are not looked at: they describe other servers.
    """
    loader = Loader(
        [Loader.BUILTIN_DATA_PATH, _OWN_MODELS], include_default_search_paths=False, include_default_extras=False
    )
    model = ServiceModel(loader.load_service_model(name, "service-2"), name)
    metadata = model.metadata
    return Service(
        name=name,
        protocol=metadata["protocol"],
        version=metadata["apiVersion"],
        target_prefix=metadata.get("targetPrefix", ""),
        namespace=metadata.get("xmlNamespace", ""),
        operations=frozenset(model.operation_names),
        model=model,
    )
