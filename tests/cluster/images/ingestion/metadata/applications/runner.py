"""Stands in for OpenMetadata's module of the same name: wants `config`, the application, in the environment."""
from metadata.behaviour import behave

if __name__ == "__main__":
    behave("application", "application")
