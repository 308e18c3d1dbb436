"""Stands in for OpenMetadata's entry point of the same name: wants `config`, the automation, in the environment."""
from metadata.behaviour import behave

behave("automation", "automation")
