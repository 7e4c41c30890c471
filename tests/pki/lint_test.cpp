#include "pki/lint.h"

#include "tests/pki/forge.h"

#include <gmock/gmock.h>

#include <functional>
#include <set>

namespace meshtrust::pki {
namespace {

using testing::forge;
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
      {"serial_positive: serial is zero, wanted a positive number; "
       "serial_entropy: serial has 8 bits, wanted at least 64",
       [](Forgery& f) { f.serial = "00"; }},
      {"serial_positive: serial is negative, wanted a positive number",
       [](Forgery& f) { f.serial = "-0123456789abcdef01"; }},
      {"serial_length: serial has 21 octets, wanted at most 20",
       [](Forgery& f) { f.serial = "01" + std::string(40, 'a'); }},
      {"serial_length: serial has 21 octets, wanted at most 20",
       [](Forgery& f) { f.serial = std::string(40, 'a'); }},
      {"serial_entropy: serial has 56 bits, wanted at least 64",
       [](Forgery& f) { f.serial = "01234567890abc"; }},
      {"duplicate_extension: extension 'subjectKeyIdentifier' stands there twice, wanted once",
       [](Forgery& f) { f.extensions.emplace_back("subjectKeyIdentifier", "hash"); }},
      {"unknown_critical_extension: critical extension '1.2.3.4' is unknown, wanted none",
       [](Forgery& f) { f.with("1.2.3.4", "critical,DER:0500"); }},
      {"subject_present: subject is empty, wanted a name", [](Forgery& f) { f.subject = ""; }},
      {"root_self_issued: issuer is 'CN=Other', wanted the subject 'O=Forge,CN=Root'",
       [](Forgery& f) { f.issuer_name = "CN=Other"; }},
      {"validity_order: ends at 2030-01-01T00:00:00Z, wanted later than its begin "
       "2030-01-01T00:00:00Z",
       [](Forgery& f) { f.not_before = f.not_after = testing::kNow; }},
      {"basic_constraints_present: basicConstraints are absent, wanted CA:TRUE",
       [](Forgery& f) { f.with("basicConstraints", ""); }},
      {"basic_constraints_critical: basicConstraints are not critical, wanted critical",
       [](Forgery& f) { f.with("basicConstraints", "CA:TRUE"); }},
      {"basic_constraints_ca: basicConstraints say CA:FALSE, wanted CA:TRUE",
       [](Forgery& f) { f.with("basicConstraints", "critical,CA:FALSE"); }},
      {"root_path_length: path length is 1, wanted none or at least 2: a bridge between roots must "
       "fit",
       [](Forgery& f) { f.with("basicConstraints", "critical,CA:TRUE,pathlen:1"); }},
      {"", [](Forgery& f) { f.with("basicConstraints", "critical,CA:TRUE,pathlen:2"); }},
      {"key_usage_present: keyUsage is absent, wanted keyCertSign and cRLSign",
       [](Forgery& f) { f.with("keyUsage", ""); }},
      {"key_usage_critical: keyUsage is not critical, wanted critical",
       [](Forgery& f) { f.with("keyUsage", "keyCertSign,cRLSign"); }},
      {"key_usage_bits: keyUsage allows keyCertSign, wanted keyCertSign, cRLSign and nothing else",
       [](Forgery& f) { f.with("keyUsage", "critical,keyCertSign"); }},
      {"key_usage_bits: keyUsage allows digitalSignature, keyCertSign, cRLSign, wanted "
       "keyCertSign, "
       "cRLSign and nothing else",
       [](Forgery& f) { f.with("keyUsage", "critical,digitalSignature,keyCertSign,cRLSign"); }},
      {"no_extended_key_usage: extended key usage is serverAuth, wanted none",
       [](Forgery& f) { f.with("extendedKeyUsage", "serverAuth"); }},
      {"no_name_constraints: name constraints are present, wanted none",
       [](Forgery& f) { f.with("nameConstraints", "critical,permitted;URI:cluster.local"); }},
      {"subject_key_id_present: subject key identifier is absent, wanted one",
       [](Forgery& f) { f.with("subjectKeyIdentifier", ""); }},
      {"", [](Forgery& f) { f.with("authorityKeyIdentifier", "keyid:always"); }},
      {"root_authority_key_id: authority key identifier is 0102, wanted none or its own 0a0b",
       [](Forgery& f) {
         f.with("subjectKeyIdentifier", "0A0B");
         f.with("authorityKeyIdentifier", "DER:300480020102");
       }},
      {"key_type: key is rsa-1024, wanted RSA of 2048 to 8192 bits or ECDSA on P-256 or P-384",
       [](Forgery& f) { f.key = testing::rsa_key(1024); }},
      {"key_type: key is ecdsa-p521, wanted RSA of 2048 to 8192 bits or ECDSA on P-256 or P-384",
       [](Forgery& f) { f.key = testing::ec_key("P-521"); }},
      {"", [](Forgery& f) { f.key = testing::rsa_key(2048); }},
      {"", [](Forgery& f) { f.key = testing::ec_key("P-384"); }},
      {"uncompressed_point: the point of the key is compressed, wanted it uncompressed",
       [](Forgery& f) { f.compressed_point = true; }},
      {"signature_hash: signature is 'ecdsa-with-SHA1', wanted SHA-256, SHA-384 or SHA-512 with "
       "RSA "
       "or ECDSA",
       [](Forgery& f) { f.digest = "SHA1"; }},
      {"signature_fits_key: signature is 'sha256WithRSAEncryption', which its own key (ecdsa-p256) "
       "cannot make",
       [](Forgery& f) { f.signing_key = testing::rsa_key(2048); }},
  };
  return cases;
}

const std::vector<BadIntermediate>& bad_intermediates() {
  static const std::vector<BadIntermediate> cases = {
      {"intermediate_path_length: path length is absent, wanted 0",
       [](Forgery& f) { f.with("basicConstraints", "critical,CA:TRUE"); }},
      {"intermediate_path_length: path length is 1, wanted 0",
       [](Forgery& f) { f.with("basicConstraints", "critical,CA:TRUE,pathlen:1"); }},
      {"subject_distinct: subject is 'O=Forge,CN=Root' like the issuer's, wanted another one",
       [](Forgery& f) { f.subject = "O=Forge,CN=Root"; }},
      {"issuer_name_bytes: issuer is 'CN=Other', wanted 'O=Forge,CN=Root'",
       [](Forgery& f) { f.issuer_name = "CN=Other"; }},
      {"issuer_name_bytes: issuer 'O=Forge,CN=Root' is encoded unlike the issuer's subject",
       [](Forgery& f) { f.issuer_as_printable = true; }},
      {"begins_before_issuer: begins at 2029-12-22T23:59:59Z, wanted no earlier than the issuer at "
       "2029-12-23T00:00:00Z; ca_outlives_issuer: ends at 2030-01-11T00:00:01Z, wanted no later "
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
      {"authority_key_id_present: authority key identifier is absent, wanted the issuer's",
       [](Forgery& f) { f.with("authorityKeyIdentifier", ""); }},
      {"authority_key_id_matches: authority key identifier is 0102, wanted the issuer's 0a0b",
       [](Forgery& f) { f.with("authorityKeyIdentifier", "DER:300480020102"); },
       [](Forgery& f) { f.with("subjectKeyIdentifier", "0A0B"); }},
      {"authority_key_id_matches: the issuer has no subject key identifier, wanted one to refer to",
       [](Forgery& f) { f.with("authorityKeyIdentifier", "DER:300480020102"); },
       [](Forgery& f) { f.with("subjectKeyIdentifier", ""); }},
      {"signature_fits_key: signature is 'sha256WithRSAEncryption', which the issuer's key "
       "(ecdsa-p256) cannot make",
       [](Forgery& f) { f.signing_key = testing::rsa_key(2048); }},
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
  EXPECT_THAT(findings_of({.certificate = root.certificate, .role = CertificateRole::kRoot}),
              IsEmpty());
  EXPECT_THAT(findings_of({.certificate = east.certificate,
                           .role = CertificateRole::kIntermediate,
                           .issuer = &root.certificate}),
              IsEmpty());
}

TEST(Lint, FindsWhatIsWrongWithARootAndNothingElse) {
  for (const BadRoot& bad : bad_roots()) {
    Forgery wanted;
    bad.spoil(wanted);
    const Identity root = forge_root(wanted);
    EXPECT_EQ(
        joined(findings_of({.certificate = root.certificate, .role = CertificateRole::kRoot})),
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
                                  .role = CertificateRole::kIntermediate,
                                  .issuer = &root.certificate})),
              bad.finding);
  }
}

TEST(Lint, FindsAnOldVersion) {
  Forgery wanted;
  wanted.version = 1;
  wanted.extensions.clear();
  const auto found =
      findings_of({.certificate = forge_root(wanted).certificate, .role = CertificateRole::kRoot});
  EXPECT_THAT(found, ::testing::Contains("version_3: version is 1, wanted 3"));
}

TEST(Lint, AsksNothingAboutAnIssuerThatIsNotKnown) {
  const Identity root = forge_root();
  const Identity east = forge(intermediate_forgery(), root);
  EXPECT_THAT(
      findings_of({.certificate = east.certificate, .role = CertificateRole::kIntermediate}),
      IsEmpty());
}

TEST(LintRules, HaveDistinctIdsAndASource) {
  std::set<std::string_view> ids;
  for (const LintRule& rule : lint_rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    EXPECT_FALSE(rule.source.empty()) << rule.id;
    EXPECT_FALSE(rule.summary.empty()) << rule.id;
  }
}

TEST(LintRules, AreAllBrokenByACaseOfThisTest) {
  std::string all = "version_3: ";
  for (const BadRoot& bad : bad_roots()) {
    all += bad.finding + "; ";
  }
  for (const BadIntermediate& bad : bad_intermediates()) {
    all += bad.finding + "; ";
  }
  for (const LintRule& rule : lint_rules()) {
    EXPECT_THAT(all, ::testing::HasSubstr(std::string(rule.id) + ": "));
  }
}

}  // namespace
}  // namespace meshtrust::pki
