#include "pki/inspect.h"

#include "pki/pem.h"
#include "tests/pki/forge.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace meshtrust::pki {
namespace {

using testing::fixture;
using testing::secret_fixture;

base::Json json_of_first(const base::Secret& content) {
  const auto objects = inspect("file", content);
  MESHTRUST_CHECK(objects.has_value());
  return to_json(objects->front());
}

TEST(Inspect, ShowsEveryFactOfACertificate) {
  testing::Forgery wanted;
  wanted.with("1.2.3.4", "critical,DER:0500");
  wanted.with("subjectAltName", "DNS:a.b,URI:spiffe://x/y,IP:10.0.0.1,email:a@b");
  wanted.with("extendedKeyUsage", "serverAuth");
  wanted.with("basicConstraints", "critical,CA:TRUE,pathlen:3");
  wanted.with("authorityKeyIdentifier", "keyid:always");
  const Certificate root = testing::forge_root(wanted).certificate;
  const base::Json expected = {
      {"kind", "Certificate"},
      {"source", "file"},
      {"version", 3},
      {"serial", wanted.serial},
      {"subject", "O=Forge,CN=Root"},
      {"issuer", "O=Forge,CN=Root"},
      {"notBefore", "2029-12-22T00:00:00Z"},
      {"notAfter", "2039-12-30T00:00:00Z"},
      {"keyType", "ecdsa-p256"},
      {"keyId", root.facts().key_id},
      {"signatureAlgorithm", "ecdsa-with-SHA256"},
      {"selfIssued", true},
      {"selfSigned", true},
      {"isCA", true},
      {"hasNameConstraints", false},
      {"fingerprint", root.fingerprint()},
      {"basicConstraints", {{"critical", true}, {"isCA", true}, {"pathLength", 3}}},
      {"keyUsage", {{"critical", true}, {"bits", {"keyCertSign", "cRLSign"}}}},
      {"extendedKeyUsage", {"serverAuth"}},
      {"subjectKeyId", *root.facts().subject_key_id},
      {"authorityKeyId", *root.facts().subject_key_id},
      {"dnsNames", {"a.b"}},
      {"uris", {"spiffe://x/y"}},
      {"ipAddresses", {"10.0.0.1"}},
      {"emails", {"a@b"}},
      {"unknownCriticalExtensions", {"1.2.3.4"}}};
  EXPECT_EQ(json_of_first(base::Secret(root.pem())), expected);
  EXPECT_EQ(json_of_first(base::Secret(base::as_text(root.der()))), expected);
}

TEST(Inspect, ShowsARequest) {
  EXPECT_EQ(json_of_first(secret_fixture("objects/request.pem")),
            base::parse_json(fixture("objects/request.json"), "request.json").value());
}

TEST(Inspect, ShowsARevocationList) {
  EXPECT_EQ(json_of_first(secret_fixture("objects/crl.pem")),
            base::parse_json(fixture("objects/crl.json"), "crl.json").value());
}

TEST(Inspect, SaysOfARequestWhoseSignatureIsWrongThatItIs) {
  const std::string pem = fixture("objects/request.pem");
  base::Bytes der = *decode(pem_blocks(pem)->front());
  der.back() ^= 1U;
  const auto json = json_of_first(base::Secret(to_pem("CERTIFICATE REQUEST", der)));
  EXPECT_EQ(json["signatureValid"], false);
}

struct KeyCase {
  std::string file;
  base::Json expected;
};

TEST(Inspect, SaysOfAKeyItsKindAndSizeAndNothingElse) {
  const auto clear = [](const char* encoding, const char* type) {
    return base::Json{{"kind", "PrivateKey"},
                      {"source", "file"},
                      {"encoding", encoding},
                      {"encrypted", false},
                      {"keyType", type}};
  };
  const auto encrypted = [](const char* encoding) {
    return base::Json{
        {"kind", "PrivateKey"}, {"source", "file"}, {"encoding", encoding}, {"encrypted", true}};
  };
  for (const KeyCase& each :
       {KeyCase{"p256-pkcs8", clear("PKCS#8", "ecdsa-p256")},
        KeyCase{"p256-sec1", clear("SEC1", "ecdsa-p256")},
        KeyCase{"p256-parameters-first", clear("SEC1", "ecdsa-p256")},
        KeyCase{"p521-pkcs8", clear("PKCS#8", "ecdsa-p521")},
        KeyCase{"ed25519", clear("PKCS#8", "ed25519")},
        KeyCase{"rsa1024", clear("PKCS#8", "rsa-1024")},
        KeyCase{"rsa2048-pkcs1", clear("PKCS#1", "rsa-2048")},
        KeyCase{"rsa2048-legacy-encrypted", encrypted("PKCS#1")},
        KeyCase{"p256-pbes1", encrypted("PKCS#8")}, KeyCase{"p256-pbkdf2", encrypted("PKCS#8")}}) {
    const base::Secret pem = secret_fixture("keys/" + each.file + ".pem");
    EXPECT_EQ(json_of_first(pem), each.expected) << each.file;

    const auto blocks = pem_blocks(base::reveal(pem, "test"));
    const PemBlock& last = blocks->back();
    if (last.has_headers) continue;  // has no form in DER
    EXPECT_EQ(json_of_first(*decode_secret(last)), each.expected) << each.file << " as DER";
  }
}

TEST(Inspect, ListsAllObjectsOfAFileInOrder) {
  const std::string file =
      fixture("objects/root.pem") + "text\n" + to_pem("DH PARAMETERS", base::as_bytes("skipped")) +
      fixture("keys/p256-sec1.pem") + fixture("objects/crl.pem") + fixture("objects/request.pem");
  const auto objects = inspect("all.pem", base::Secret(file));
  ASSERT_TRUE(objects);
  std::vector<std::string> found;
  for (const InspectedObject& object : *objects) {
    found.push_back(object.source + " " + std::string(kind_of(object)));
  }
  EXPECT_THAT(found, ::testing::ElementsAre("all.pem Certificate", "all.pem#2 PrivateKey",
                                            "all.pem#3 CertificateRevocationList",
                                            "all.pem#4 CertificateRequest"));
}

struct BadFile {
  std::string content;
  std::string message;
};

TEST(Inspect, SaysWhereAFileIsBadAndQuotesNothing) {
  constexpr const char* kNothing =
      "f: found no certificate, private key, certificate request or revocation list";
  for (const BadFile& bad :
       {BadFile{"", kNothing}, BadFile{"hello", kNothing},
        BadFile{std::string("\x30\x03\x02\x01\x00", 5), kNothing},
        // A DigestInfo, which has the shape of an encrypted key.
        BadFile{std::string(
                    "\x30\x10\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x01\x00", 18),
                kNothing},
        BadFile{to_pem("DH PARAMETERS", base::as_bytes("x")), kNothing},
        BadFile{"\n" + to_pem("PRIVATE KEY", base::as_bytes("secret")),
                "f:2: the private key does not parse"},
        BadFile{"-----BEGIN PRIVATE KEY-----\nsecret!\n-----END PRIVATE KEY-----\n",
                "f:1: pem block 'PRIVATE KEY' of line 1 is not base64"},
        BadFile{"-----BEGIN X509 CRL-----\n",
                "f: pem block 'X509 CRL' of line 1 has no end line"}}) {
    const auto objects = inspect("f", base::Secret(bad.content));
    ASSERT_FALSE(objects);
    EXPECT_EQ(objects.error().code, base::Code::kInvalidInput);
    EXPECT_EQ(objects.error().message, bad.message);
  }
  for (const char* label : {"CERTIFICATE", "CERTIFICATE REQUEST", "X509 CRL"}) {
    const auto objects = inspect("f", base::Secret(to_pem(label, base::as_bytes("rubbish"))));
    ASSERT_FALSE(objects);
    EXPECT_THAT(objects.error().message, ::testing::StartsWith("f:1: "));
  }
}

}  // namespace
}  // namespace meshtrust::pki
