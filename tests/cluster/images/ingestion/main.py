"""Stands in for OpenMetadata's entry point of the same name: wants `config` and `pipelineType` in the environment."""
import os

from metadata.behaviour import behave

if not os.environ.get("pipelineType"):
    raise RuntimeError("Missing environment variable `pipelineType`. This is needed to know what to run.")
behave("main", os.environ["pipelineType"])
