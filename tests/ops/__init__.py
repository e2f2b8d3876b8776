"""Tests of how KanbanAI is started, served, configured and stopped."""
