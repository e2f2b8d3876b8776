"""REST: looking around on the server's disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from apps.core import results
from apps.core.rest import Endpoint
from apps.core.schema import document
from apps.projects import filesystem, inputs

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class FolderEntry(TypedDict):
    """Something in a folder."""

    name: str
    path: str
    isDirectory: bool
    isGitRepo: bool


class Folder(TypedDict):
    """A part of a folder; `parent` is null where one may not go up."""

    path: str
    parent: str | None
    entries: list[FolderEntry]


class FolderMeta(TypedDict):
    """How many entries the folder has, and the cursor of the next part, if there is one."""

    total: int
    hasMore: bool
    nextCursor: str | None


class TextFile(TypedDict):
    """A text file, or its first megabyte; `size` in bytes is the whole file's."""

    path: str
    content: str
    size: int
    truncated: bool


class Browse(Endpoint):
    """Folders on the server."""

    @document(
        summary="Look into a folder of the server",
        description="Folders, and with `includeFiles` files after them, by name; without `path` "
        "the first of the allowed folders (`KANBANAI_PROJECT_ROOTS`). `limit` entries at once; "
        "`cursor` is the `nextCursor` of the part before. Hidden folders of the server's account, "
        "KanbanAI's own data, git directories and projects of others are 403.",
        query=inputs.BrowseFolder,
        response=Folder,
        meta=FolderMeta,
        problems=(404,),
    )
    def get(self, request: Request) -> Response:
        query = self.read_query(inputs.BrowseFolder)
        page = filesystem.browse(
            actor=self.actor,
            text=query["path"],
            include_files=query["include_files"],
            cursor=query.get("cursor"),
            limit=query["limit"],
        )
        shown: Folder = {
            "path": str(page.path),
            "parent": str(page.parent) if page.parent else None,
            "entries": [
                {
                    "name": entry.name,
                    "path": entry.path,
                    "isDirectory": entry.is_directory,
                    "isGitRepo": entry.is_repository,
                }
                for entry in page.entries
            ],
        }
        meta: FolderMeta = {
            "total": page.total,
            "hasMore": page.cursor is not None,
            "nextCursor": page.cursor,
        }
        return results.ok(shown, meta=meta)


class Read(Endpoint):
    """Text files on the server."""

    @document(
        summary="Read a text file of the server",
        description="Its first megabyte. What is no UTF-8 text is 415; see browsing for what may "
        "not be read.",
        query=inputs.ReadFile,
        response=TextFile,
        problems=(404, 415),
    )
    def get(self, request: Request) -> Response:
        text = filesystem.read(actor=self.actor, text=self.read_query(inputs.ReadFile)["path"])
        shown: TextFile = {
            "path": str(text.path),
            "content": text.content,
            "size": text.size,
            "truncated": text.truncated,
        }
        return results.ok(shown)
