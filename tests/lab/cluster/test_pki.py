from cryptography import x509
from cryptography.x509.oid import NameOID

from lab.cluster import pki


def _subject(path):
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return {a.oid: a.value for a in certificate.subject}, certificate


def test_every_certificate_is_signed_by_its_authority_and_readable_by_its_owner_only(tmp_path):
    folder = tmp_path / "pki"
    pki.ensure(folder)

    for wanted in pki.wanted():
        subject, certificate = _subject(folder / f"{wanted.file}.crt")
        _, authority = _subject(folder / f"{wanted.authority}.crt")
        certificate.verify_directly_issued_by(authority)
        assert subject[NameOID.COMMON_NAME] == wanted.common_name
        assert subject.get(NameOID.ORGANIZATION_NAME, "") == wanted.organization
    assert {oct(file.stat().st_mode & 0o777) for file in folder.iterdir()} == {"0o600"}
    assert oct(folder.stat().st_mode & 0o777) == "0o700"


def test_the_front_proxy_is_signed_by_its_own_authority():
    (front_proxy,) = [c for c in pki.wanted() if c.file == "front-proxy-client"]

    assert front_proxy.authority == "front-proxy-ca"


def test_a_second_run_keeps_what_is_there(tmp_path):
    pki.ensure(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    pki.ensure(tmp_path)

    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
