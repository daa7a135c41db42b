"""Conversations as they are shown: who may see them, their list, reading, typing."""
