"""Worktrees of attempts: made, watched, committed, merged, saved. Functions of paths alone.

An agent writes in its worktree, so nothing there is trusted: git is told where the repository is
(`trees.Tree.place`) and is never sent into a repository that was planted inside.
"""
