"""Which kubeconfig counts, and what is said of one that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.kubeconfig import KubeconfigError, find, paths


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "contexts: [\n",
            (
                "is not YAML: while parsing a flow node expected the node content, but found '<stream end>' in "
                '"<unicode string>", line 2, column 1: ^'
            ),
        ),
        ("nonsense\n", "is not a kubeconfig: 'str' object has no attribute 'get'"),
        ("clusters: 3\n", "is not a kubeconfig: 'int' object is not iterable"),
    ],
)
def test_a_malformed_kubeconfig_is_one_line(kubeconfig: Path, text: str, line: str) -> None:
    kubeconfig.write_text(text)

    with pytest.raises(KubeconfigError) as refused:
        find("test")

    assert str(refused.value) == f"cluster.context: kubeconfig {kubeconfig} {line}"


def test_of_several_kubeconfigs_the_first_that_has_the_context_counts(
    kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing, second = tmp_path / "missing", tmp_path / "second"
    second.write_text(kubeconfig.read_text().replace("127.0.0.1:1", "127.0.0.1:2"))
    third = tmp_path / "third"
    third.write_text(kubeconfig.read_text().replace('"test"', '"third"'))

    monkeypatch.setenv("KUBECONFIG", f"{missing}:{third}::{kubeconfig}:{second}")

    assert (find("test").cluster.server, find("third").fname) == ("https://127.0.0.1:1", third)
    with pytest.raises(KubeconfigError) as refused:
        find("none")
    assert str(refused.value) == (
        f"cluster.context: kubeconfig {missing} has no usable context none: Configuration file {missing} not found; "
        f"kubeconfig {third} has no usable context none: Context 'none' not found; "
        f"kubeconfig {kubeconfig} has no usable context none: Context 'none' not found; "
        f"kubeconfig {second} has no usable context none: Context 'none' not found"
    )


def test_without_kubeconfig_kubectls_default_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert paths() == [tmp_path / ".kube" / "config"]
