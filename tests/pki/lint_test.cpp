#include "pki/lint.h"

#include "base/encoding.h"
#include "pki/chain.h"
#include "tests/pki/forge.h"

#include <gmock/gmock.h>
#include <openssl/x509.h>

#include <algorithm>
#include <functional>
#include <set>

namespace meshtrust::pki {
namespace {

using testing::forge;
using testing::forge_list;
using testing::forge_root;
using testing::Forgery;
using testing::Identity;
using testing::intermediate_forgery;
using ::testing::IsEmpty;

/// "rule: message" of everything found.
std::vector<std::string> findings_of(const LintSubject& subject) {
  std::vector<std::string> texts;
  for (const LintFinding& finding : lint(subject)) {
    texts.push_back(finding.rule + ": " + finding.message);
  }
  return texts;
}

struct BadRoot {
  std::string finding;  ///< all that is to be found
  std::function<void(Forgery&)> spoil;
};

struct BadIntermediate {
  std::string finding;
  std::function<void(Forgery&)> spoil;
  std::function<void(Forgery&)> root = [](Forgery&) {};
};

const std::vector<BadRoot>& bad_roots() {
  static const std::vector<BadRoot> cases = {
      {"serial-positive: serial is zero, wanted a positive number; "
       "serial-entropy: serial has 8 bits, wanted at least 64",
       [](Forgery& f) { f.serial = "00"; }},
      {"serial-positive: serial is negative, wanted a positive number",
       [](Forgery& f) { f.serial = "-0123456789abcdef01"; }},
      {"serial-length: serial has 21 octets, wanted at most 20",
       [](Forgery& f) { f.serial = "01" + std::string(40, 'a'); }},
      {"serial-length: serial has 21 octets, wanted at most 20",
       [](Forgery& f) { f.serial = std::string(40, 'a'); }},
      {"serial-entropy: serial has 56 bits, wanted at least 64",
       [](Forgery& f) { f.serial = "01234567890abc"; }},
      {"duplicate-extension: extension 'subjectKeyIdentifier' stands there twice, wanted once",
       [](Forgery& f) { f.extensions.emplace_back("subjectKeyIdentifier", "hash"); }},
      {"unknown-critical-extension: critical extension '1.2.3.4' is unknown, wanted none",
       [](Forgery& f) { f.with("1.2.3.4", "critical,DER:0500"); }},
      {"subject-present: subject is empty, wanted a name", [](Forgery& f) { f.subject = ""; }},
      {"root-self-issued: issuer is 'CN=Other', wanted the subject 'O=Forge,CN=Root'",
       [](Forgery& f) { f.issuer_name = "CN=Other"; }},
      {"validity-order: ends at 2030-01-01T00:00:00Z, wanted later than its begin "
       "2030-01-01T00:00:00Z",
       [](Forgery& f) { f.not_before = f.not_after = testing::kNow; }},
      {"basic-constraints-present: basicConstraints are absent, wanted CA:TRUE",
       [](Forgery& f) { f.with("basicConstraints", ""); }},
      {"basic-constraints-critical: basicConstraints are not critical, wanted critical",
       [](Forgery& f) { f.with("basicConstraints", "CA:TRUE"); }},
      {"basic-constraints-ca: basicConstraints say CA:FALSE, wanted CA:TRUE",
       [](Forgery& f) { f.with("basicConstraints", "critical,CA:FALSE"); }},
      {"root-path-length: path length is 1, wanted none or at least 2: a bridge between roots must "
       "fit",
       [](Forgery& f) { f.with("basicConstraints", "critical,CA:TRUE,pathlen:1"); }},
      {"", [](Forgery& f) { f.with("basicConstraints", "critical,CA:TRUE,pathlen:2"); }},
      {"key-usage-present: keyUsage is absent, wanted keyCertSign and cRLSign",
       [](Forgery& f) { f.with("keyUsage", ""); }},
      {"key-usage-critical: keyUsage is not critical, wanted critical",
       [](Forgery& f) { f.with("keyUsage", "keyCertSign,cRLSign"); }},
      {"key-usage-crl-sign: keyUsage allows keyCertSign, wanted cRLSign",
       [](Forgery& f) { f.with("keyUsage", "critical,keyCertSign"); }},
      {"key-usage-minimal: keyUsage also allows digitalSignature, wanted keyCertSign and cRLSign "
       "alone",
       [](Forgery& f) { f.with("keyUsage", "critical,digitalSignature,keyCertSign,cRLSign"); }},
      {"no-extended-key-usage: extended key usage is serverAuth, wanted none",
       [](Forgery& f) { f.with("extendedKeyUsage", "serverAuth"); }},
      {"key-usage-cert-sign: keyUsage allows cRLSign, wanted keyCertSign",
       [](Forgery& f) { f.with("keyUsage", "critical,cRLSign"); }},
      {"mail-constraints: name constraints speak of mail addresses, wanted none",
       [](Forgery& f) { f.with("nameConstraints", "permitted;email:example.com"); }},
      {"address-constraints: name constraints speak of IP addresses, wanted none",
       [](Forgery& f) { f.with("nameConstraints", "permitted;IP:10.0.0.0/255.0.0.0"); }},
      {"critical-policies: extension 'certificatePolicies' is critical, wanted none of its kind",
       [](Forgery& f) { f.with("certificatePolicies", "critical,1.2.3.4"); }},
      {"path-length-without-ca: basicConstraints have a path length without CA:TRUE, wanted none; "
       "basic-constraints-ca: basicConstraints say CA:FALSE, wanted CA:TRUE",
       [](Forgery& f) { f.with("basicConstraints", "critical,CA:FALSE,pathlen:3"); }},
      {"der: a length or truth value is encoded in a longer way, wanted DER",
       [](Forgery& f) { f.with("basicConstraints", "critical,DER:3003010101"); }},
      {"uri-constraints: name constraints speak of URIs, wanted none",
       [](Forgery& f) { f.with("nameConstraints", "critical,permitted;URI:cluster.local"); }},
      {"no-name-constraints: name constraints are present, wanted none",
       [](Forgery& f) { f.with("nameConstraints", "critical,permitted;DNS:mesh.example"); }},
      {"directory-constraints: name constraints speak of directory names, wanted none",
       [](Forgery& f) {
         // permittedSubtrees with one directoryName: CN=a
         f.with("nameConstraints", "critical,DER:3014A0123010A40E300C310A300806035504030C0161");
       }},
      {"no-name-constraints: name constraints are present, wanted none; "
       "dns-constraint-dotted: a name constraint on DNS names begins with a dot, wanted a label",
       [](Forgery& f) { f.with("nameConstraints", "critical,excluded;DNS:.mesh.example"); }},
      {"no-name-constraints: name constraints are present, wanted none; "
       "name-constraint-bounds: a name constraint has a minimum or maximum, wanted neither",
       [](Forgery& f) {
         // permittedSubtrees with the dNSName 'a' and a minimum of 0
         f.with("nameConstraints", "critical,DER:300AA0083006820161800100");
       }},
      {"empty-list: extension 'nameConstraints with a list of none' lists nothing, wanted an "
       "entry; "
       "no-name-constraints: name constraints are present, wanted none",
       [](Forgery& f) { f.with("nameConstraints", "critical,DER:3002A100"); }},
      {"empty-list: extension 'certificatePolicies' lists nothing, wanted an entry",
       [](Forgery& f) { f.with("certificatePolicies", "DER:3000"); }},
      {"extension-readable: extension 'authorityInfoAccess' cannot be decoded to its end",
       [](Forgery& f) { f.with("authorityInfoAccess", "DER:0500"); }},
      {"policy-limits-critical: inhibitAnyPolicy not critical, wanted critical, or better none",
       [](Forgery& f) { f.with("inhibitAnyPolicy", "0"); }},
      {"authority-key-id-form: authority key identifier with nothing in it, wanted a key "
       "identifier, and issuer and serial or neither",
       [](Forgery& f) { f.with("authorityKeyIdentifier", "DER:3000"); }},
      {"alternative-names-form: dNSName 'a..b', wanted names of the form of their kind",
       [](Forgery& f) { f.with("subjectAltName", "DNS:a..b"); }},
      {"alternative-names-form: iPAddress '0a0000', wanted names of the form of their kind",
       [](Forgery& f) { f.with("subjectAltName", "DER:300587030a0000"); }},
      {"subject-key-id-present: subject key identifier is absent, wanted one",
       [](Forgery& f) { f.with("subjectKeyIdentifier", ""); }},
      {"", [](Forgery& f) { f.with("authorityKeyIdentifier", "keyid:always"); }},
      {"root-authority-key-id: authority key identifier is 0102, wanted none or its own 0a0b",
       [](Forgery& f) {
         f.with("subjectKeyIdentifier", "0A0B");
         f.with("authorityKeyIdentifier", "DER:300480020102");
       }},
      {"key-type: key is rsa-1024, wanted RSA from 2048 bits or ECDSA on P-256 or P-384",
       [](Forgery& f) { f.key = testing::rsa_key(1024); }},
      {"key-rsa-exponent: exponent of the key is 1, wanted an odd number from 3 to 31 bits, best "
       "65537",
       [](Forgery& f) { f.key = testing::rsa_key_with_exponent("1"); }},
      {"key-rsa-exponent: exponent of the key has 32 bits, wanted an odd number from 3 to 31 bits, "
       "best 65537",
       [](Forgery& f) { f.key = testing::rsa_key_with_exponent("2147483659"); }},
      {"", [](Forgery& f) { f.key = testing::rsa_key_with_exponent("3"); }},
      {"key-p521: key is ecdsa-p521, wanted P-256 or P-384",
       [](Forgery& f) { f.key = testing::ec_key("P-521"); }},
      {"", [](Forgery& f) { f.key = testing::rsa_key(2048); }},
      {"", [](Forgery& f) { f.key = testing::ec_key("P-384"); }},
      {"uncompressed-point: the point of the key is compressed, wanted it uncompressed",
       [](Forgery& f) { f.compressed_point = true; }},
      {"root-signature-hash: signature is 'ecdsa-with-SHA1', wanted SHA-256, SHA-384 or SHA-512 "
       "with "
       "RSA "
       "or ECDSA",
       [](Forgery& f) { f.digest = "SHA1"; }},
      {"signature-fits-key: signature is 'sha256WithRSAEncryption', which its own key (ecdsa-p256) "
       "cannot make",
       [](Forgery& f) { f.signing_key = testing::rsa_key(2048); }},
  };
  return cases;
}

const std::vector<BadIntermediate>& bad_intermediates() {
  static const std::vector<BadIntermediate> cases = {
      {"intermediate-path-length: path length is absent, wanted 0",
       [](Forgery& f) { f.with("basicConstraints", "critical,CA:TRUE"); }},
      {"intermediate-path-length: path length is 1, wanted 0",
       [](Forgery& f) { f.with("basicConstraints", "critical,CA:TRUE,pathlen:1"); }},
      {"subject-distinct: subject is 'O=Forge,CN=Root' like the issuer's, wanted another one",
       [](Forgery& f) { f.subject = "O=Forge,CN=Root"; }},
      {"issuer-name-bytes: issuer is 'CN=Other', wanted 'O=Forge,CN=Root'",
       [](Forgery& f) { f.issuer_name = "CN=Other"; }},
      {"issuer-name-bytes: issuer 'O=Forge,CN=Root' is encoded unlike the issuer's subject",
       [](Forgery& f) { f.issuer_as_printable = true; }},
      {"begins-before-issuer: begins at 2029-12-22T23:59:59Z, wanted no earlier than the issuer at "
       "2029-12-23T00:00:00Z; ca-outlives-issuer: ends at 2030-01-11T00:00:01Z, wanted no later "
       "than "
       "the issuer at 2030-01-11T00:00:00Z",
       [](Forgery& f) {
         f.not_before = testing::kNow - base::days(9) - base::Seconds(1);
         f.not_after = testing::kNow + base::days(10) + base::Seconds(1);
       },
       [](Forgery& f) {
         f.not_before = testing::kNow - base::days(9);
         f.not_after = testing::kNow + base::days(10);
       }},
      {"",
       [](Forgery& f) {
         f.not_before = Forgery().not_before;
         f.not_after = Forgery().not_after;
       }},
      {"authority-key-id-present: authority key identifier is absent, wanted the issuer's",
       [](Forgery& f) { f.with("authorityKeyIdentifier", ""); }},
      {"authority-key-id-matches: authority key identifier is 0102, wanted the issuer's 0a0b",
       [](Forgery& f) { f.with("authorityKeyIdentifier", "DER:300480020102"); },
       [](Forgery& f) { f.with("subjectKeyIdentifier", "0A0B"); }},
      {"authority-key-id-matches: the issuer has no subject key identifier, wanted one to refer to",
       [](Forgery& f) { f.with("authorityKeyIdentifier", "DER:300480020102"); },
       [](Forgery& f) { f.with("subjectKeyIdentifier", ""); }},
      {"signature-fits-key: signature is 'sha256WithRSAEncryption', which the issuer's key "
       "(ecdsa-p256) cannot make",
       [](Forgery& f) { f.signing_key = testing::rsa_key(2048); }},
  };
  return cases;
}

struct BadWorkload {
  std::string finding;
  std::function<void(Forgery&)> spoil;
};

const std::vector<BadWorkload>& bad_workloads() {
  const auto named = [](const char* names) {
    return [names](Forgery& f) { f.with("subjectAltName", names); };
  };
  static const std::vector<BadWorkload> cases = {
      {"svid-one-uri: found 0 URI names, wanted one", named("critical,DNS:a.b")},
      {"svid-one-uri: found 2 URI names, wanted one",
       named("critical,URI:spiffe://a/ns/b/sa/c,URI:spiffe://a/ns/b/sa/d")},
      {"svid-id: 'https://a/b' does not begin with 'spiffe://'", named("critical,URI:https://a/b")},
      {"svid-id: 'spiffe:///ns/a' names no trust domain", named("critical,URI:spiffe:///ns/a")},
      {"svid-id: 'spiffe://a:80/b' has a trust domain with something else than a-z, 0-9, '.', '-' "
       "and '_'",
       named("critical,URI:spiffe://a:80/b")},
      {"svid-id: 'spiffe://a/../b' has an empty or relative path segment",
       named("critical,URI:spiffe://a/../b")},
      {"svid-id: 'spiffe://a/b?c' has a path with something else than letters, digits, '.', '-' "
       "and '_'",
       named("critical,URI:spiffe://a/b?c")},
      {"svid-path: 'spiffe://a/b' names no service account, wanted .../ns/NAMESPACE/sa/ACCOUNT",
       named("critical,URI:spiffe://a/b")},
      {"svid-names-critical: the subject is empty and the alternative names are not critical, "
       "wanted critical",
       named("URI:spiffe://a/ns/b/sa/c")},
      {"svid-no-ca: basicConstraints say CA:TRUE, wanted a workload",
       [](Forgery& f) { f.with("basicConstraints", "critical,CA:TRUE"); }},
      {"svid-no-ca-usage: keyUsage allows keyCertSign, wanted it not to",
       [](Forgery& f) { f.with("keyUsage", "critical,digitalSignature,keyCertSign"); }},
      {"name-constraints-without-ca: name constraints without CA:TRUE, wanted none",
       [](Forgery& f) { f.with("nameConstraints", "permitted;DNS:example.com"); }},
      {"svid-digital-signature: keyUsage is absent, wanted digitalSignature",
       [](Forgery& f) { f.with("keyUsage", ""); }},
      {"svid-digital-signature: keyUsage lacks digitalSignature",
       [](Forgery& f) { f.with("keyUsage", "critical,keyEncipherment"); }},
      {"svid-both-roles: extended key usage is serverAuth, wanted clientAuth as well",
       [](Forgery& f) { f.with("extendedKeyUsage", "serverAuth"); }},
      {"svid-short-life: is valid for 91 days, wanted at most 90",
       [](Forgery& f) { f.not_after = f.not_before + base::days(91); }},
      {"expired: ended 1 day ago, on 2029-12-31",
       [](Forgery& f) {
         f.not_before = testing::kNow - base::days(3);
         f.not_after = testing::kNow - base::days(1);
       }},
      {"not-yet-valid: begins in 1 hour, at 2030-01-01T01:00:00Z",
       [](Forgery& f) { f.not_before = testing::kNow + std::chrono::hours(1); }},
      {"signature-hash: signature is 'ecdsa-with-SHA1', wanted SHA-256, SHA-384 or SHA-512 with "
       "RSA or ECDSA",
       [](Forgery& f) { f.digest = "SHA1"; }},
  };
  return cases;
}

/// What only the passing of time, or the size of a key, makes wrong with an intermediate.
const std::vector<BadWorkload>& aged_intermediates() {
  static const std::vector<BadWorkload> cases = {
      {"expires-soon: ends in 29 days, on 2030-01-30",
       [](Forgery& f) { f.not_after = testing::kNow + base::days(29); }},
      {"ends-with-issuer: ends on 2039-12-29, the day on which its issuer ends, wanted well "
       "before; "
       "long-life: is valid for 10 years, wanted at most 5",
       [](Forgery& f) { f.not_after = Forgery().not_after - std::chrono::hours(20); }},
      {"key-rsa-cost: key is rsa-4096, where ecdsa-p256 would do",
       [](Forgery& f) { f.key = testing::rsa_key(4096); }},
  };
  return cases;
}

struct BadList {
  std::string finding;
  std::function<void(testing::ListForgery&)> spoil;
  std::function<void(Forgery&)> issuer = [](Forgery&) {};
};

const std::vector<BadList>& bad_lists() {
  using testing::kNow;
  using testing::ListForgery;
  static const std::vector<BadList> cases = {
      {"crl-number: CRL number is absent, wanted one", [](ListForgery& f) { f.number.reset(); }},
      {"crl-authority-key-id: authority key identifier is absent, wanted the issuer's",
       [](ListForgery& f) { f.extensions.clear(); }},
      {"crl-next-update: next update is absent, wanted one",
       [](ListForgery& f) { f.next_update.reset(); }},
      {"crl-expired: ended 1 hour ago, on 2029-12-31",
       [](ListForgery& f) { f.next_update = kNow - std::chrono::hours(1); }},
      {"crl-not-yet-valid: begins in 1 hour, at 2030-01-01T01:00:00Z",
       [](ListForgery& f) { f.this_update = kNow + std::chrono::hours(1); }},
      {"crl-expires-soon: ends in 6 days, on 2030-01-07",
       [](ListForgery& f) { f.next_update = kNow + base::days(6); }},
      {"crl-whole: this is a delta, wanted the whole list",
       [](ListForgery& f) { f.extensions.emplace_back("2.5.29.27", "critical,DER:020101"); }},
      {"crl-scope: an issuing distribution point limits its scope, wanted all of its CA",
       [](ListForgery& f) { f.extensions.emplace_back("2.5.29.28", "critical,DER:30038101FF"); }},
      {"crl-unknown-critical-extension: critical extension '1.2.3.4' is unknown, wanted none",
       [](ListForgery& f) { f.extensions.emplace_back("1.2.3.4", "critical,DER:0500"); }},
      {"crl-signature-hash: signature is 'ecdsa-with-SHA1', wanted SHA-256, SHA-384 or SHA-512 "
       "with RSA or ECDSA",
       [](ListForgery& f) { f.digest = "SHA1"; }},
      {"crl-issuer-may-sign: keyUsage of its issuer 'O=Forge,CN=Root' lacks cRLSign",
       [](ListForgery&) {}, [](Forgery& f) { f.with("keyUsage", "critical,keyCertSign"); }},
      {"crl-signature: the signature does not verify with the key of 'O=Forge,CN=Root'",
       [](ListForgery& f) { f.signing_key = testing::ec_key(); }},
  };
  return cases;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) {
    all += (all.empty() ? "" : "; ") + text;
  }
  return all;
}

TEST(Lint, FindsNothingInAGoodRootAndIntermediate) {
  const Identity root = forge_root();
  const Identity east = forge(intermediate_forgery(), root);
  EXPECT_THAT(findings_of({.certificate = root.certificate, .role = LintRole::kRoot}), IsEmpty());
  EXPECT_THAT(findings_of({.certificate = east.certificate,
                           .role = LintRole::kIntermediate,
                           .issuer = &root.certificate}),
              IsEmpty());
}

TEST(Lint, FindsWhatIsWrongWithARootAndNothingElse) {
  for (const BadRoot& bad : bad_roots()) {
    Forgery wanted;
    bad.spoil(wanted);
    const Identity root = forge_root(wanted);
    EXPECT_EQ(joined(findings_of({.certificate = root.certificate, .role = LintRole::kRoot})),
              bad.finding);
  }
}

TEST(Lint, FindsWhatIsWrongWithAnIntermediateAndNothingElse) {
  for (const BadIntermediate& bad : bad_intermediates()) {
    Forgery above;
    bad.root(above);
    const Identity root = forge_root(above);
    Forgery wanted = intermediate_forgery();
    bad.spoil(wanted);
    const Identity east = forge(wanted, root);
    EXPECT_EQ(joined(findings_of({.certificate = east.certificate,
                                  .role = LintRole::kIntermediate,
                                  .issuer = &root.certificate})),
              bad.finding);
  }
}

TEST(Lint, FindsAnOldVersion) {
  Forgery wanted;
  wanted.version = 1;
  wanted.extensions.clear();
  const auto found =
      findings_of({.certificate = forge_root(wanted).certificate, .role = LintRole::kRoot});
  EXPECT_THAT(found, ::testing::Contains("version-3: version is 1, wanted 3"));
}

TEST(Lint, AsksNothingAboutAnIssuerThatIsNotKnown) {
  const Identity root = forge_root();
  const Identity east = forge(intermediate_forgery(), root);
  EXPECT_THAT(findings_of({.certificate = east.certificate, .role = LintRole::kIntermediate}),
              IsEmpty());
}

TEST(Lint, FindsWhatIsWrongWithAWorkloadAndNothingElse) {
  const Identity root = forge_root();
  const Identity east = forge(intermediate_forgery(), root);
  const auto judged = [&east](const Forgery& wanted) {
    const Identity leaf = forge(wanted, east);
    return joined(findings_of({.certificate = leaf.certificate,
                               .role = LintRole::kWorkload,
                               .issuer = &east.certificate,
                               .at = testing::kNow}));
  };
  EXPECT_EQ(judged(testing::leaf_forgery()), "");
  for (const BadWorkload& bad : bad_workloads()) {
    Forgery wanted = testing::leaf_forgery();
    bad.spoil(wanted);
    EXPECT_EQ(judged(wanted), bad.finding);
  }
}

TEST(Lint, FindsWhatTimeMakesWrongOnlyWhereTheTimeIsGiven) {
  const Identity root = forge_root();
  for (const BadWorkload& bad : aged_intermediates()) {
    Forgery wanted = intermediate_forgery();
    bad.spoil(wanted);
    const Identity east = forge(wanted, root);
    const LintSubject subject{.certificate = east.certificate,
                              .role = LintRole::kIntermediate,
                              .issuer = &root.certificate,
                              .at = testing::kNow};
    EXPECT_EQ(joined(findings_of(subject)), bad.finding);
  }
}

TEST(Lint, FindsWhatIsWrongWithAListAndNothingElse) {
  const auto judged = [](const testing::ListForgery& wanted, const Identity& issuer) {
    const RevocationList list = forge_list(wanted, issuer);
    std::vector<std::string> texts;
    for (const LintFinding& finding :
         lint({.list = list, .issuer = &issuer.certificate, .at = testing::kNow})) {
      texts.push_back(finding.rule + ": " + finding.message);
    }
    return joined(texts);
  };
  EXPECT_EQ(judged({}, forge_root()), "");
  for (const BadList& bad : bad_lists()) {
    Forgery above;
    bad.issuer(above);
    testing::ListForgery wanted;
    bad.spoil(wanted);
    EXPECT_EQ(judged(wanted, forge_root(above)), bad.finding);
  }
}

TEST(Lint, ComparesTheTwoPlacesOfTheSignatureAlgorithm) {
  base::Bytes der = forge_root().certificate.der();
  const base::Bytes sha256 = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
  const auto outer = std::find_end(der.begin(), der.end(), sha256.begin(), sha256.end());
  ASSERT_NE(outer, der.end());
  *(outer + 7) = 3;  // SHA-384
  EXPECT_THAT(findings_of({.certificate = *Certificate::from_der(der)}),
              ::testing::Contains("signature-algorithms-equal: the signature algorithm in the "
                                  "signed part is another than the one beside the signature"));
}

TEST(LintRules, HaveDistinctIdsAndASource) {
  std::set<std::string_view> ids;
  for (const Rule& rule : lint_rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    EXPECT_FALSE(rule.source.empty()) << rule.id;
    EXPECT_FALSE(rule.summary.empty()) << rule.id;
  }
}

TEST(LintRules, AreAllBrokenByACaseOfThisTest) {
  // Those that have tests of their own, and keys that take minutes to make.
  std::string all =
      "version-3: crl-version-2: sample-key: key-rsa-too-large: key-ed25519: authority-serial: "
      "authority-serial-matches: "
      "signature-algorithms-equal: ";
  for (const BadWorkload& bad : bad_workloads()) {
    all += bad.finding + "; ";
  }
  for (const BadWorkload& bad : aged_intermediates()) {
    all += bad.finding + "; ";
  }
  for (const BadList& bad : bad_lists()) {
    all += bad.finding + "; ";
  }
  for (const BadRoot& bad : bad_roots()) {
    all += bad.finding + "; ";
  }
  for (const BadIntermediate& bad : bad_intermediates()) {
    all += bad.finding + "; ";
  }
  for (const Rule& rule : lint_rules()) {
    EXPECT_THAT(all, ::testing::HasSubstr(std::string(rule.id) + ": "));
  }
}

/// The public key of Istio's samples/certs/ca-cert.pem of 2018, the most copied one. Its
/// certificate has no key identifiers.
constexpr std::string_view kSampleCa =
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyzCxr/xu0zy5rVBiso9ffgl00bRKvB/HF4AX9/ytmZ6Hqsy1"
    "3XIQk8/u/By9iCvVwXIMvyT0CbiJq/aPEj5mJUy0lzbrUs13oneXqrPXf7ir3HzdRw+SBhXlsh9zAPZJXcF93DJU3Gab"
    "PKwBvGJ0IVMJPIFCuDIPwW4kFAI7R/8A5LSdPrFx6EyMXl7KM8jekC0y9DnTj83/fY72WcWX7YTpgZeBHAeeQOPTZ2KY"
    "bFal2gLsar69PgFS0TomESO9M14Yit7mzB1WDK2z9g3r+zLxENdJ5JG/ZskKe+TO4Diqi5OJt/h8yspS1ck8LJtCole9"
    "919umByg5oruflqIlQIDAQAB";

testing::Key public_key_from(std::string_view base64) {
  const base::Bytes der = base::from_base64(base64).value();
  const unsigned char* next = der.data();
  return {d2i_PUBKEY(nullptr, &next, static_cast<long>(der.size())), EVP_PKEY_free};
}

TEST(LintRules, KnowIstiosSamplesByTheirKeysAndWhatTheyIssuedByThese) {
  const std::string told =
      "the key of Istio's public sample 'samples/certs/ca-cert.pem of 2018': everybody has the "
      "private key";
  const auto finding = [](const LintSubject& subject) -> std::string {
    for (const LintFinding& one : lint(subject)) {
      if (one.rule == "sample-key") return one.message;
    }
    return "";
  };
  const testing::Identity root = testing::forge_root();
  testing::Forgery wanted = testing::intermediate_forgery();
  wanted.key = public_key_from(kSampleCa);
  const Certificate sample = testing::forge(wanted, root).certificate;
  EXPECT_EQ(finding({.certificate = sample, .role = LintRole::kIntermediate}), "this is " + told);

  testing::Forgery below = testing::leaf_forgery();
  const Certificate leaf = testing::forge(below, root).certificate;
  EXPECT_EQ(finding({.certificate = leaf, .role = LintRole::kWorkload}), "");
  EXPECT_EQ(finding({.certificate = leaf, .role = LintRole::kWorkload, .issuer = &sample}),
            "this is issued by " + told);

  // By the identifier of a sample root, where the issuer is not at hand.
  below.with("authorityKeyIdentifier", "");
  below.with("2.5.29.35", "DER:301680147c688d91fd2d35b58fa648b28369437191e851c0");
  EXPECT_EQ(finding({.certificate = testing::forge(below, root).certificate,
                     .role = LintRole::kWorkload}),
            "this is issued by the key of Istio's public sample 'samples/certs/root-cert.pem of "
            "2024': everybody has the private key");
}

TEST(LintRules, KnowASerialInTheAuthorityKeyIdentifierAndWhetherItIsTheIssuers) {
  testing::Forgery first;
  const testing::Identity root = testing::forge_root(first);
  testing::Forgery wanted = testing::intermediate_forgery();
  wanted.with("authorityKeyIdentifier", "keyid:always,issuer:always");
  const Certificate east = testing::forge(wanted, root).certificate;
  EXPECT_EQ(issuer_serial_in(east), root.certificate.facts().serial);
  testing::Forgery renewed = first;
  renewed.key = root.key;
  renewed.serial = "0fffffffffffffffffffffffffffffff";
  const Certificate other = testing::forge_root(renewed).certificate;
  const auto rules = [&east](const Certificate& issuer) {
    std::string found;
    for (const LintFinding& one :
         lint({.certificate = east, .role = LintRole::kIntermediate, .issuer = &issuer})) {
      if (one.rule.starts_with("authority-serial")) found += one.rule + " ";
    }
    return found;
  };
  EXPECT_EQ(rules(root.certificate), "authority-serial ");
  EXPECT_EQ(rules(other), "authority-serial-matches authority-serial ");
}

}  // namespace
}  // namespace meshtrust::pki
