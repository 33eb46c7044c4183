"""What a caller may ask of repositories and of the registry as a whole."""

from dataclasses import replace

from moorage.actions.access import Guard
from moorage.actions.steps import found, locked
from moorage.core.calls import Call
from moorage.core.errors import (
    RepositoryAlreadyExists,
    RepositoryNotEmpty,
    RepositoryNotFound,
    TooManyRepositories,
)
from moorage.core.identity_tags import requested
from moorage.core.names import RepositoryName
from moorage.core.operations import (
    CREATE_REPOSITORY,
    DELETE_REPOSITORY,
    DESCRIBE_REGISTRY,
    DESCRIBE_REPOSITORIES,
    GET_ACCOUNT_SETTING,
    LIST_TAGS_FOR_RESOURCE,
    PUT_ACCOUNT_SETTING,
    PUT_IMAGE_SCANNING_CONFIGURATION,
    PUT_IMAGE_TAG_MUTABILITY,
    TAG_RESOURCE,
    UNTAG_RESOURCE,
)
from moorage.core.quotas import ECR, Quotas
from moorage.core.repositories import Repository, TagMutability, with_tags
from moorage.core.settings import DEFAULTS, check_setting
from moorage.ports import Database, HotReads


class Repositories:
    """Actions on repositories; each raises AccessDenied where the caller has no right to it."""

    def __init__(self, database: Database, hot: HotReads, guard: Guard, quotas: Quotas = ECR) -> None:
        self._database = database
        self._hot = hot
        self._guard = guard
        self._quotas = quotas

    def create(self, call: Call, wanted: Repository, tags: dict[str, str]) -> Repository:
        """Create a repository with its resource tags; raises RepositoryAlreadyExists, TooManyTags, TooManyRepositories."""
        with_tags(wanted.arn, {}, tags)
        context = requested(list(tags.items()))
        with self._database.write() as tx:
            self._guard.allow(tx, call, CREATE_REPOSITORY, wanted.arn, context)
            if tags:
                self._guard.allow(tx, call, TAG_RESOURCE, wanted.arn, context)
            tx.repositories.lock_registry(call.registry)
            if tx.repositories.get(call.registry, wanted.name):
                raise RepositoryAlreadyExists(wanted.name, call.registry.account)
            if tx.repositories.count(call.registry) >= self._quotas.repositories:
                raise TooManyRepositories(call.registry.account, self._quotas.repositories)
            repository = tx.repositories.add(wanted)
            tx.repositories.set_tags(repository.id, tags)
        return repository

    def named(self, call: Call, names: list[RepositoryName]) -> list[Repository]:
        """Return the repositories named, in that order; raises RepositoryNotFound with the first that is missing."""
        with self._database.read() as tx:
            for name in names:
                self._guard.allow_repository(tx, call, DESCRIBE_REPOSITORIES, name)
            known = {repository.name: repository for repository in tx.repositories.named(call.registry, names)}
        for name in names:
            if name not in known:
                raise RepositoryNotFound(name, call.registry.account)
        return [known[name] for name in dict.fromkeys(names)]

    def page(self, call: Call, after: str, limit: int) -> list[Repository]:
        """Return up to ``limit`` repositories of the registry in the order of their names."""
        everything = call.registry.repository_arn("*")
        hot = self._hot.repositories(call.caller.account, call.registry, after, limit)
        if hot and self._guard.allow_remembered(hot[0], call, DESCRIBE_REPOSITORIES, None):
            return hot[1]
        with self._database.read() as tx:
            self._guard.allow(tx, call, DESCRIBE_REPOSITORIES, everything)
            return tx.repositories.page(call.registry, after, limit)

    def delete(self, call: Call, name: RepositoryName, *, force: bool) -> Repository:
        """Forget a repository and all that is in it; raises RepositoryNotEmpty where it holds images, unless forced.

        Nobody sees any of it from then on, and its name is free. Its rows go by collection: they may be very many, and who writes
        meanwhile would wait for them.
        """
        with self._database.write() as tx:
            repository = locked(tx, self._guard, call, DELETE_REPOSITORY, name)
            if not force and tx.images.any(repository):
                raise RepositoryNotEmpty(name, call.registry.account)
            tx.repositories.remove(repository, call.at)
        return repository

    def put_mutability(self, call: Call, name: RepositoryName, mutability: TagMutability) -> Repository:
        """Say which tags may move from now on."""
        with self._database.write() as tx:
            repository = replace(locked(tx, self._guard, call, PUT_IMAGE_TAG_MUTABILITY, name), mutability=mutability)
            tx.repositories.update(repository)
        return repository

    def put_scanning(self, call: Call, name: RepositoryName, *, scan_on_push: bool) -> Repository:
        """Say whether images are to be scanned when they are pushed."""
        with self._database.write() as tx:
            repository = replace(
                locked(tx, self._guard, call, PUT_IMAGE_SCANNING_CONFIGURATION, name), scan_on_push=scan_on_push
            )
            tx.repositories.update(repository)
        return repository

    def tag(self, call: Call, name: RepositoryName, tags: dict[str, str]) -> None:
        """Add resource tags, over those of the same keys; raises TooManyTags."""
        context = requested(list(tags.items())) or {"aws:tagkeys": []}
        with self._database.write() as tx:
            repository = locked(tx, self._guard, call, TAG_RESOURCE, name, context)
            tx.repositories.set_tags(
                repository.id, with_tags(repository.arn, tx.repositories.tags(repository.id), tags)
            )

    def untag(self, call: Call, name: RepositoryName, keys: list[str]) -> None:
        """Remove resource tags; a key that is not there is no error."""
        with self._database.write() as tx:
            repository = locked(tx, self._guard, call, UNTAG_RESOURCE, name, {"aws:tagkeys": keys})
            left = {key: value for key, value in tx.repositories.tags(repository.id).items() if key not in keys}
            tx.repositories.set_tags(repository.id, left)

    def tags(self, call: Call, name: RepositoryName) -> dict[str, str]:
        """Return the resource tags."""
        with self._database.read() as tx:
            return tx.repositories.tags(found(tx, self._guard, call, LIST_TAGS_FOR_RESOURCE, name).id)

    def describe_registry(self, call: Call) -> None:
        """Check that the caller may describe the registry; there is nothing to read yet."""
        with self._database.read() as tx:
            self._guard.allow(tx, call, DESCRIBE_REGISTRY, "*")

    def setting(self, call: Call, name: str) -> str:
        """Return an account setting; raises ValidationFailed for a name that is none."""
        check_setting(name)
        with self._database.read() as tx:
            self._guard.allow(tx, call, GET_ACCOUNT_SETTING, "*", {"ecr:accountsetting": name})
            return tx.repositories.settings(call.registry).get(name, DEFAULTS[name])

    def put_setting(self, call: Call, name: str, value: str) -> None:
        """Store an account setting; raises ValidationFailed for a name or value that is none."""
        check_setting(name, value)
        with self._database.write() as tx:
            self._guard.allow(tx, call, PUT_ACCOUNT_SETTING, "*", {"ecr:accountsetting": name})
            tx.repositories.lock_registry(call.registry)
            tx.repositories.put_setting(call.registry, name, value)
