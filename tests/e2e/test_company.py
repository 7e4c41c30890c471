#!/usr/bin/env python3
"""A mesh whose root stands below a company's CA, which the openssl program plays."""

import unittest

from support import MeshTest, openssl

AUTHORITY = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
BELOW = (*AUTHORITY, "authorityKeyIdentifier=keyid:always")  # and the subjectKeyIdentifier of the request
LISTED = "{store: mesh.trust, crl: {lifetime: 30d, refresh: the nightly job}}"
CONFIGURATION = """[ca]
default_ca=d
[d]
database=index
crlnumber=number
default_md=sha256
crl_extensions=e
[e]
authorityKeyIdentifier=keyid:always
"""


class Company:
    """Its root, and an issuing CA, in a folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.make("root", "/O=Corp/CN=Corp Root", AUTHORITY, 7000)
        self.make("issuing", "/O=Corp/CN=Corp Issuing", BELOW, 5000, "root")
        (folder / "openssl.cnf").write_text(CONFIGURATION.replace("index", str(folder / "index")).replace("number\n", f"{folder / 'number'}\n"))
        (folder / "index").write_text("")
        (folder / "number").write_text("01\n")

    def path(self, name):
        return self.folder / name

    def make(self, name, subject, extensions, days, issuer=None):
        request = self.path(f"{name}.csr")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", self.path(f"{name}.key"),
                "-out", request, "-subj", subject)
        self.sign(request, name, (*extensions, "subjectKeyIdentifier=hash"), days, issuer)

    def sign(self, request, name, extensions, days, issuer=None):
        """Signs `request`; without an issuer by the key it is of."""
        (self.folder / "extensions").write_text("\n".join(extensions) + "\n")
        signer = ("-CA", self.path(f"{issuer}.pem"), "-CAkey", self.path(f"{issuer}.key")) if issuer else ("-key", self.path(f"{name}.key"))
        openssl("x509", "-req", "-in", request, *signer, "-days", days, "-copy_extensions", "copy", "-out", self.path(f"{name}.pem"),
                "-extfile", self.path("extensions"))

    def lists(self, *names):
        """An empty list of each, in one file."""
        made = self.path("lists.pem")
        made.write_text("")
        for name in names or ("root", "issuing"):
            one = self.path(f"{name}.crl")
            openssl("ca", "-config", self.path("openssl.cnf"), "-gencrl", "-keyfile", self.path(f"{name}.key"), "-cert",
                    self.path(f"{name}.pem"), "-crldays", "60", "-out", one)
            made.write_text(made.read_text() + one.read_text())
        return made


class BelowACompany(MeshTest):
    def setUp(self):
        super().setUp()
        self.company = Company(self.folder / "corp")

    def create(self):
        self.expect(0, "ca", "create", "--store", self.store, "--subject", "O=mesh,CN=mesh Root CA")

    def subordinate(self, issuing="issuing", code=0):
        request = self.folder / f"{issuing}.csr"
        self.expect(0, "ca", "request", "--root", "--store", self.store, "--out", request)
        self.company.sign(request, "mesh", BELOW, 3000, issuing)
        papers = [self.company.path(f"{name}.pem") for name in ("mesh", issuing, "root")]
        return self.expect(code, "ca", "import", *papers, "--store", self.store, "--yes")

    def pem(self, name):
        """A certificate of the company as meshtrust writes it."""
        text = self.company.path(f"{name}.pem").read_text()
        return text[text.index("-----BEGIN"):]

    def test_every_cluster_gets_a_chain_up_to_the_companys_root(self):
        self.create()
        self.subordinate()
        self.write_mesh()
        self.assert_told("company_plan", self.expect(0, "plan", password=None).out)
        done = self.apply()
        self.assertEqual(0, done.code, done.err)
        for cluster in (self.east, self.west):
            files = self.live_files(cluster)
            self.assertEqual(self.pem("root"), files["root-cert.pem"])
            self.assertEqual(files["ca-cert.pem"] + self.pem("mesh") + self.pem("issuing"), files["cert-chain.pem"])
            self.assertEqual(files["root-cert.pem"], self.twin(cluster)["data"]["root-cert.pem"])
        self.expect(0, "verify", password=None)
        with self.nothing_written():
            again = self.apply(password=None)
        self.assertEqual(0, again.code, again.err)
        self.assertTrue(again.out.startswith("Nothing to do"), again.out)

    def test_lists_want_those_of_the_company(self):
        self.create()
        self.subordinate()
        self.write_mesh(trust=LISTED)
        self.assert_apply_refused("company_lists_missing", 4)
        self.expect(0, "ca", "crl", "--store", self.store, "--with", self.company.lists())
        done = self.apply()
        self.assertEqual(0, done.code, done.err)
        for cluster in (self.east, self.west):
            lists = self.live_files(cluster)["ca-crl.pem"]
            self.assertEqual(5, lists.count("-----BEGIN X509 CRL-----"))  # two intermediates, the root, two of the company
            self.assert_looked_up(self.live_files(cluster))
        self.expect(0, "verify", password=None)
        with self.nothing_written():
            self.assertEqual(0, self.apply(password=None).code)

    def assert_looked_up(self, files):
        """OpenSSL finds a list of every CA."""
        for name, text in files.items():
            (self.folder / name).write_text(text)
        trusted = self.folder / "trusted.pem"
        trusted.write_text(files["root-cert.pem"] + files["ca-crl.pem"])
        openssl("verify", "-crl_check_all", "-CAfile", trusted, "-untrusted", self.folder / "cert-chain.pem", self.folder / "ca-cert.pem")

    def test_a_mesh_that_trusts_the_root_itself_goes_on_doing_so(self):
        self.create()
        self.apply_all()
        store = self.contents(self.store)
        self.assert_told("company_too_late", self.subordinate(code=4).err)
        self.assertEqual(store, self.contents(self.store))
        self.expect(0, "verify", password=None)
        with self.nothing_written():
            self.assertEqual(0, self.apply(password=None).code)

    def test_another_issuing_ca_of_the_company_takes_over_while_the_mesh_is_live(self):
        self.create()
        self.subordinate()
        self.write_mesh(trust=LISTED)
        self.expect(0, "ca", "crl", "--store", self.store, "--with", self.company.lists())
        self.assertEqual(0, self.apply().code)
        self.company.make("second", "/O=Corp/CN=Corp Issuing 2", BELOW, 5000, "root")
        self.subordinate("second")
        self.write_mesh("east", "west", "central", trust=LISTED)
        self.assert_apply_refused("company_second_list_missing", 4)
        self.expect(0, "ca", "crl", "--store", self.store, "--with", self.company.lists("root", "issuing", "second"))
        done = self.apply()
        self.assertEqual(0, done.code, done.err)
        self.assertIn(self.pem("second"), self.live_files(self.central)["cert-chain.pem"])
        for cluster in self.all_clusters:
            self.assertEqual(7, self.live_files(cluster)["ca-crl.pem"].count("-----BEGIN X509 CRL-----"))
            self.assert_looked_up(self.live_files(cluster))
        self.expect(0, "verify", password=None)

if __name__ == "__main__":
    unittest.main()
