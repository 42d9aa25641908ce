"""Where kubeconfig leads: the one context that a stack names, from the files that kubectl would read."""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from lightkube import KubeConfig
from lightkube.config.kubeconfig import SingleConfig
from lightkube.core.exceptions import ConfigError


class KubeconfigError(RuntimeError):
    """There is no usable context of that name; the message is one line for people."""


def paths() -> list[Path]:
    """Return the files of `KUBECONFIG`, a list as for kubectl, or kubectl's default."""
    listed = [text for text in os.environ.get("KUBECONFIG", "").split(os.pathsep) if text]
    return [Path(text).expanduser() for text in listed or ["~/.kube/config"]]


def find(context: str) -> SingleConfig:
    """Return the context from the first file that has it.

    Raises:
        KubeconfigError: When a file cannot be read, or none has a usable context of that name.
    """
    said: list[str] = []
    for path in paths():
        try:
            found = KubeConfig.from_file(path).get(context)
        except yaml.YAMLError as error:
            raise KubeconfigError(
                f"cluster.context: kubeconfig {path} is not YAML: {_one_line(error)}"
            ) from error
        except (AttributeError, TypeError, ValueError) as error:
            raise KubeconfigError(
                f"cluster.context: kubeconfig {path} is not a kubeconfig: {_one_line(error)}"
            ) from error
        except OSError as error:
            raise KubeconfigError(
                f"cluster.context: kubeconfig {path} cannot be read: {error.strerror}"
            ) from error
        except (ConfigError, KeyError) as error:
            said.append(f"kubeconfig {path} has no usable context {context}: {_one_line(error)}")
            continue
        if found is not None:
            return found
    raise KubeconfigError(f"cluster.context: {'; '.join(said)}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
