"""Configuration: one TOML file and the environment, checked as a whole at the start."""

from warmcube.config.load import load
from warmcube.config.secret import SecretUrl, masked
from warmcube.config.settings import Settings

__all__ = ["SecretUrl", "Settings", "load", "masked"]
