"""Certificates and keys of the lab's control plane, made once per lab.

Two authorities: one for the cluster, and one for the API aggregation front proxy, whose client
certificate must be signed by the authority that `--requestheader-client-ca-file` names.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.cluster.layout import API_SERVICE_ADDRESS, CONTROL, NODES

VALIDITY = dt.timedelta(days=3650)


@dataclass(frozen=True)
class Certificate:
    """What one certificate says.

    Attributes:
        file: Stem of the two files, `<file>.crt` and `<file>.key`.
        common_name: Subject CN; Kubernetes reads it as the user name.
        organization: Subject O; Kubernetes reads it as the group. Empty: none.
        names: DNS names and addresses the certificate is valid for as a server.
        authority: Stem of the authority that signs it.
    """

    file: str
    common_name: str
    organization: str = ""
    names: tuple[str, ...] = ()
    authority: str = "ca"


def wanted() -> tuple[Certificate, ...]:
    """Return every certificate of the lab."""
    service = ("kubernetes", "default", "svc", "cluster", "local")
    api_names = tuple(".".join(service[:length]) for length in (1, 2, 3, 5))
    return (
        Certificate(
            "apiserver",
            "kube-apiserver",
            names=(*api_names, "localhost", "127.0.0.1", API_SERVICE_ADDRESS, CONTROL.address),
        ),
        Certificate("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
        Certificate("admin", "admin", "system:masters"),
        Certificate("controller-manager", "system:kube-controller-manager"),
        Certificate("scheduler", "system:kube-scheduler"),
        Certificate("kube-proxy", "system:kube-proxy"),
        Certificate("volume-agent", "routerfleet:volume-agent"),
        Certificate("front-proxy-client", "front-proxy-client", authority="front-proxy-ca"),
        *(
            Certificate(node.name, f"system:node:{node.name}", "system:nodes", (node.name, node.address))
            for node in NODES
        ),
    )


def ensure(folder: Path) -> None:
    """Make every missing authority, certificate and the service-account key pair in `folder` (mode 0700)."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("ca", "front-proxy-ca"):
        if not (folder / f"{name}.crt").exists():
            _write_authority(folder, name)
    for certificate in wanted():
        if not (folder / f"{certificate.file}.crt").exists():
            _write_certificate(folder, certificate)
    if not (folder / "service-account.pub").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        _write_key(folder / "service-account.key", key)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        _write(folder / "service-account.pub", public)


def _subject(common_name: str, organization: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    start = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + VALIDITY)
    )


def _write_authority(folder: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"routerfleet-lab-{name}")
    certificate = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_key(folder / f"{name}.key", key)
    _write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _write_certificate(folder: Path, wanted: Certificate) -> None:
    authority = x509.load_pem_x509_certificate((folder / f"{wanted.authority}.crt").read_bytes())
    authority_key = serialization.load_pem_private_key(
        (folder / f"{wanted.authority}.key").read_bytes(), None
    )
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)  # noqa: S101  written above by this module
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(wanted.common_name, wanted.organization)
    builder = _builder(subject, authority.subject, key.public_key()).add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
        critical=False,
    )
    if wanted.names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in wanted.names]), critical=False
        )
    _write_key(folder / f"{wanted.file}.key", key)
    signed = builder.sign(authority_key, hashes.SHA256())
    _write(folder / f"{wanted.file}.crt", signed.public_bytes(serialization.Encoding.PEM))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    # SEC1 form: the API server reads service-account keys only from "EC PRIVATE KEY" blocks.
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    _write(path, pem)


def _write(path: Path, content: bytes) -> None:
    """Write whole or not at all, readable by the owner only."""
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_bytes(content)
    partial.chmod(0o600)
    partial.replace(path)
