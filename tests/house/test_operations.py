"""The table of operations is whole, and nothing beside it says what a right is called."""

import ast
import re
from collections.abc import Iterator

from moorage.core import operations
from moorage.core.managed_policies import managed_policy
from moorage.core.operations import ECR, IAM, LEVELS, OWN, ROUTES, SERVICES, STS, Level, Resource
from moorage.core.rates import RATES
from moorage.web.aws.model import service
from tests.actions.test_rights import ALL as ASKED
from tests.house.operations import answered, routes
from tests.house.tree import ROOT

# The permission-only rights of ECR: what a policy of a registry may speak of, and no operation asks for here.
OF_NO_OPERATION = {operations.BATCH_IMPORT_UPSTREAM_IMAGE, operations.REPLICATE_IMAGE}
# What ECR's registry has no operation for.
OURS = {"GetRegistry", "GetLayerUpload", "CancelLayerUpload"}


def test_every_operation_that_is_answered_has_its_rights_in_the_table_and_no_other() -> None:
    tables = {name: list(table) for name, table in SERVICES.items()}
    tables["iam"] = [operation for names in IAM.values() for operation in names]

    assert {name: sorted(operations) for name, operations in tables.items()} == {
        name: sorted(operations) for name, operations in answered().items()
    }


def test_an_operation_of_iam_is_about_what_its_refusal_names() -> None:
    kinds = {Resource.DEVICE: "mfa", Resource.POLICY: "policy", Resource.ANY: "*"}
    told = {f"iam:{name}": kinds.get(kind, str(kind)) for kind, names in IAM.items() for name in names}
    asked = {action: resource for _, action, resource, _ in ASKED if action.startswith("iam:")}

    assert len(asked) > 70
    for action, resource in asked.items():
        assert re.fullmatch(rf"(arn:aws:iam::(aws|[0-9]{{12}}):)?{re.escape(told[action])}([/ ].*)?", resource), action


def test_every_route_that_is_answered_has_its_rights_in_the_table_and_no_other() -> None:
    assert set(ROUTES) == routes()


def test_an_operation_asks_first_for_the_right_of_its_own_name() -> None:
    for name, table in SERVICES.items():
        for operation, rights in table.items():
            assert operation in {"GetCallerIdentity", "GetSessionToken"} or rights[0].action == f"{name}:{operation}"


def test_a_route_is_an_operation_of_ecr_and_asks_first_for_what_that_asks() -> None:
    for use in ROUTES.values():
        if use.operation in ECR:
            assert use.rights[0].action == ECR[use.operation][0].action
        else:
            assert use.operation in OURS | service("ecr").operations


def test_every_right_has_a_level_and_is_asked_for_by_something() -> None:
    tables: list[tuple[operations.Right, ...]] = [*ECR.values(), *STS.values(), *OWN.values()]
    tables += [use.rights for use in ROUTES.values()]
    asked = {right.action for rights in tables for right in rights}

    assert asked | OF_NO_OPERATION == set(LEVELS)


def test_what_amazon_lets_readers_do_only_reads() -> None:
    """AmazonEC2ContainerRegistryReadOnly is Amazon's own word on what only reads."""
    held = managed_policy("arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly")
    assert held
    named = {action for action in LEVELS if f'"{action}"' in held.document}

    assert len(named) > 5
    assert {LEVELS[action] for action in named} <= {Level.READ, Level.LIST}


def test_a_rate_is_of_an_operation_that_is_answered() -> None:
    assert set(RATES) <= set(ECR)


def test_the_names_of_rights_are_written_in_the_table_alone() -> None:
    """Except in Amazon's own documents, which are kept as they are."""
    elsewhere = [
        f"{path.name}: {text}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        if path.name not in ("operations.py", "managed_policies.py", "managed_documents.py")
        for text in _texts(path.read_text())
        if re.fullmatch(r"(ecr|sts):[A-Z][A-Za-z]+", text)
    ]

    assert elsewhere == OF_NO_ACTION


OF_NO_ACTION = [
    "trust_policies.py: sts:AssumeRoleWithSAML",
    "trust_policies.py: sts:AssumeRoleWithWebIdentity",
    "trust_policies.py: sts:SetContext",
]
"""What trust policies may name and nothing here asks for."""


def _texts(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
