"""What a caller may ask of IAM about decisions before they are needed: what policies would allow."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from moorage.actions.identity_steps import Steps, missing
from moorage.actions.rights import NO_CONTEXT, read_subject
from moorage.core.access import AccessRequest, Names, Policy, parse_policy, parse_resource_policy
from moorage.core.arns import principal_of
from moorage.core.calls import Call, Caller
from moorage.core.errors import IdentityInputInvalid, MalformedPolicy, PolicyEvaluationFailed
from moorage.core.explanations import Kind, Source
from moorage.core.identities import Group, Held, Identity, Role, User
from moorage.core.managed_policies import managed_policy
from moorage.core.names import AccountId
from moorage.core.simulations import (
    EVERYTHING,
    MAX_LOOKS,
    Entry,
    Simulated,
    Simulation,
    Summary,
    account_of,
    check_asked,
    context_keys,
    context_of,
)
from moorage.core.wildcards import Context
from moorage.ports import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is to be simulated; the names are those of IAM's parameters.

    ``first`` counts the actions that earlier pages told of, ``most`` is how many the next one may.
    """

    policies: Sequence[str] = ()
    boundaries: Sequence[str] = ()
    actions: Sequence[str]
    resources: Sequence[str] = ()
    resource_policy: str | None = None
    owner: str | None = None
    caller: str | None = None
    context: Sequence[Entry] = ()
    first: int = 0
    most: int = 100


@dataclass(frozen=True, slots=True)
class _Actor:
    """Who is simulated, the condition keys about it, and what it is, where that is known."""

    names: Names
    about: Context
    kind: type[Identity] | None


class Simulations(Steps):
    """Simulates decisions. What is asked for is never done, and no decision of it is noted."""

    def custom(self, call: Call, scene: Scene) -> tuple[list[Summary], int | None]:
        """Return what the given policies decide, and where the next page begins.

        Nothing is told of who has which policies or tags: of the caller it knows what the ARN says. Raises IdentityInputInvalid.
        """
        with self._database.read() as tx:
            self._guard.allow(tx, call, "iam:SimulateCustomPolicy", "*")
        return _simulated(scene, [], _actor(scene.caller, call.caller.account))

    def principal(self, call: Call, arn: str, scene: Scene) -> tuple[list[Summary], int | None]:
        """Return what the policies of a user, a group or a role decide, together with those given.

        A boundary that is given stands in for its own. Raises IdentityInputInvalid, PolicyEvaluationFailed.
        """
        with self._source(call, "iam:SimulatePrincipalPolicy", arn) as (tx, identity):
            own = _policies(tx, identity)
            actor = _described(tx, identity)
        if scene.caller not in (None, arn):
            actor = _actor(scene.caller, identity.account)
        if scene.boundaries:
            own = [one for one in own if one.source.kind is not Kind.BOUNDARY]
        return _simulated(scene, own, actor)

    def keys_of_custom(self, call: Call, policies: Sequence[str]) -> list[str]:
        """Return the condition keys that policies ask for; raises IdentityInputInvalid."""
        with self._database.read() as tx:
            self._guard.allow(tx, call, "iam:GetContextKeysForCustomPolicy", "*")
        return context_keys(one.text for one in _given(policies, Kind.IDENTITY, "PolicyInputList", parse_policy))

    def keys_of_principal(self, call: Call, arn: str, policies: Sequence[str]) -> list[str]:
        """Return the condition keys that the policies of a user, a group or a role ask for, and those given."""
        with self._source(call, "iam:GetContextKeysForPrincipalPolicy", arn) as (tx, identity):
            own = [one for one in _policies(tx, identity) if one.source.kind is Kind.IDENTITY]
        given = _given(policies, Kind.IDENTITY, "PolicyInputList", parse_policy)
        return context_keys(one.text for one in (*own, *given))

    @contextmanager
    def _source(self, call: Call, action: str, arn: str) -> Iterator[tuple[Transaction, Identity]]:
        """Open a view with the user, the group or the role whose policies the caller may learn."""
        account, kind, name = _entity(arn)
        if account != call.caller.account:
            with self._database.read() as tx:
                self._guard.allow(tx, call, action, arn)
            raise missing(kind, name)
        with self._reading(call, action, kind, name) as (tx, identity):
            if identity.arn != arn:
                raise missing(kind, name)
            yield tx, identity


# --- who ---------------------------------------------------------------------------------------------------------------


_name = re.compile(r"[\w+=,.@-]+", re.ASCII)


def _entity(arn: str) -> tuple[AccountId, type[Identity], str]:
    found = principal_of(arn)
    if not found or found.kind is None or found.session or not _name.fullmatch(found.name):
        raise IdentityInputInvalid(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    return found.account, found.kind, found.name


def _actor(arn: str | None, account: AccountId) -> _Actor:
    """Return somebody of whom nothing but the ARN is known, and where there is none, somebody of an account."""
    if arn is None:
        return _Actor(Names("", account), NO_CONTEXT, None)
    of, kind, name = _entity(arn)
    about = {"aws:principalarn": arn, "aws:principalaccount": of}
    if kind is User:
        about |= {"aws:username": name, "aws:principaltype": "User"}
    return _Actor(Names(arn, of, role=arn if kind is Role else ""), about, kind)


def _described(tx: Transaction, identity: Identity) -> _Actor:
    """Return a user, a group or a role with the condition keys that a request of its own would have."""
    if isinstance(identity, Group):
        return _actor(identity.arn, identity.account)
    name = identity.name if isinstance(identity, User) else ""
    subject = read_subject(tx, Caller(identity.arn, identity.account, identity.id, name, ""), identity, None)
    # What a session of a role would be called nobody knows.
    about = {key: value for key, value in subject.about.items() if name or key != "aws:userid"}
    return _Actor(subject.names, about, type(identity))


# --- its policies ------------------------------------------------------------------------------------------------------


def _policies(tx: Transaction, identity: Identity) -> list[Simulated]:
    """Return the policies of a user, a group or a role, those of its groups and its boundary."""
    bound = tx.identities.boundary(identity.id)
    found = [(Kind.IDENTITY, held) for held in tx.identities.policies(identity.id)]
    found += [(Kind.BOUNDARY, bound)] if bound else []
    return [_held(kind, held, identity) for kind, held in found if held.text is not None or managed_policy(held.name)]


def _held(kind: Kind, held: Held, identity: Identity) -> Simulated:
    """Return a policy under the name that IAM's simulations have for it: that of a managed one, or whose an inline one is."""
    if held.name.startswith("arn:"):
        name = held.name.rpartition("/")[2]
    elif held.through:
        name = f"group_{held.through}_{held.name}"
    else:
        name = f"{identity.kind}_{identity.name}_{held.name}"
    known = managed_policy(held.name) if held.text is None else None
    text = known.document if known else held.text or ""
    try:
        return Simulated(Source(kind, name, parse_policy(text)), text)
    except MalformedPolicy:
        raise PolicyEvaluationFailed(name) from None


def _given(texts: Sequence[str], kind: Kind, name: str, parse: Callable[[str], Policy]) -> list[Simulated]:
    """Return policies that came as text; raises IdentityInputInvalid."""
    found = []
    for place, text in enumerate(texts, 1):
        called = name if kind is Kind.RESOURCE else f"{name}.{place}"
        try:
            found.append(Simulated(Source(kind, called, parse(text)), text))
        except MalformedPolicy as malformed:
            raise IdentityInputInvalid(f"{called} is invalid: {malformed}") from None
    return found


# --- the simulation ----------------------------------------------------------------------------------------------------


def _simulated(scene: Scene, own: Sequence[Simulated], actor: _Actor) -> tuple[list[Summary], int | None]:
    check_asked(scene.actions, scene.resources)
    if len(scene.boundaries) > 1:
        raise IdentityInputInvalid("PermissionsBoundaryPolicyInputList may have one policy only.")
    if scene.resource_policy is not None and actor.kind not in (User, Group):
        # IAM API Reference, ResourcePolicy and CallerArn.
        role = "Simulation of resource-based policies is not supported for IAM roles."
        raise IdentityInputInvalid(role if actor.kind else "CallerArn is required where there is a ResourcePolicy.")
    bounded = bool(scene.boundaries) or any(one.source.kind is Kind.BOUNDARY for one in own)
    names = replace(actor.names, bounded=bounded)
    theirs = [] if scene.resource_policy is None else [scene.resource_policy]
    simulation = Simulation(
        [
            *own,
            *_given(scene.policies, Kind.IDENTITY, "PolicyInputList", parse_policy),
            *_given(scene.boundaries, Kind.BOUNDARY, "PermissionsBoundaryPolicyInputList", parse_policy),
            *_given(theirs, Kind.RESOURCE, "ResourcePolicy", parse_resource_policy),
        ]
    )
    context = {**actor.about, **context_of(scene.context)}
    resources, owner = list(dict.fromkeys(scene.resources)) or [EVERYTHING], _owner(scene.owner, actor.names.account)
    at_once = MAX_LOOKS // (len(resources) * max(simulation.weight, 1))
    if not at_once:
        raise IdentityInputInvalid(
            "The policies and resources of the simulation are too many. Ask about fewer at once."
        )
    last = min(scene.first + min(scene.most, at_once), len(scene.actions))
    summaries = [
        simulation.ask([AccessRequest(names, action, one, account_of(one, owner), context) for one in resources])
        for action in scene.actions[scene.first : last]
    ]
    return summaries, last if last < len(scene.actions) else None


_owner_arn = re.compile(r"(?:arn:aws[a-z-]*:iam::)?([0-9]{12})(?::root)?", re.ASCII)


def _owner(text: str | None, otherwise: str) -> str:
    """Return an account that is given by its id, as IAM says, or by its root, as IAM takes it."""
    if text is None:
        return otherwise
    found = _owner_arn.fullmatch(text)
    if not found:
        raise IdentityInputInvalid(f"'{text}' is not a valid as a Resource Owner.")
    return found[1]
