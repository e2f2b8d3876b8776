"""Repositories of projects: looked at, begun, cloned. Functions of paths, without any table."""

from apps.projects.repositories.cloning import (
    RepositoryTooLarge,
    UnsupportedAddress,
    check_address,
    clone,
)
from apps.projects.repositories.creation import initialize
from apps.projects.repositories.demo import create_demo
from apps.projects.repositories.inspection import (
    Branch,
    Inspection,
    Kind,
    branches,
    default_branch,
    files,
    inspect,
)

__all__ = [
    "Branch",
    "Inspection",
    "Kind",
    "RepositoryTooLarge",
    "UnsupportedAddress",
    "branches",
    "check_address",
    "clone",
    "create_demo",
    "default_branch",
    "files",
    "initialize",
    "inspect",
]
