#include "tests/interop/verifiers/corpus.h"

// The table of dimensions is read best as one, however long it is.

namespace meshtrust::interop {
namespace {

using pki::testing::Forgery;
using pki::testing::kNow;

using Values = std::vector<std::string>;

void set(Forgery& forgery, Dice& dice, const std::string& extension, const Values& values) {
  forgery.with(extension, pick(dice, values));
}

const Values& key_types() {
  static const Values types = {"p256",    "p256",     "p384",     "p521",
                               "ed25519", "rsa-2048", "rsa-3072", "rsa-1024"};
  return types;
}

const Values& basic_constraints() {
  static const Values values = {"",
                                "critical,CA:FALSE",
                                "CA:TRUE",
                                "critical,CA:TRUE,pathlen:0",
                                "critical,CA:TRUE,pathlen:1",
                                "critical,CA:TRUE,pathlen:2",
                                "critical,CA:TRUE,pathlen:300"};
  return values;
}

const Values& ca_key_usages() {
  static const Values values = {"", "critical,cRLSign", "critical,keyCertSign", "keyCertSign",
                                "critical,digitalSignature"};
  return values;
}

const Values& extended_usages() {
  static const Values values = {"",
                                "serverAuth",
                                "clientAuth",
                                "serverAuth,clientAuth",
                                "anyExtendedKeyUsage",
                                "codeSigning",
                                "critical,serverAuth",
                                "serverAuth,codeSigning",
                                "1.2.3.4"};
  return values;
}

/// Around the bounds of the verifiers.
const Values& exponents() {
  static const Values types = {"rsa-2048-e1",          "rsa-2048-e3",
                               "rsa-2048-e17",         "rsa-2048-e2147483647",
                               "rsa-2048-e2147483659", "rsa-2048-e8589934583",
                               "rsa-2048-e8589934609", "rsa-2048-e18446744073709551629"};
  return types;
}

Forgery& any_level(Draft& draft, Dice& dice) {
  return draft.levels[roll(dice, draft.levels.size())];
}

constexpr std::string_view kUnknown = "critical,DER:0500";

const std::vector<Dimension>& table() {
  static const std::vector<Dimension> all = {
      {"root key", [](Draft& d, Dice& r) { d.root().key = key_of(r, pick(r, key_types())); }},
      {"intermediate key",
       [](Draft& d, Dice& r) { d.middle(r).key = key_of(r, pick(r, key_types())); }},
      {"leaf key", [](Draft& d, Dice& r) { d.leaf().key = key_of(r, pick(r, key_types())); }},
      {"leaf digest",
       [](Draft& d, Dice& r) {
         d.leaf().digest = pick(r, std::vector<const char*>{"SHA1", "SHA224", "SHA384", "SHA512"});
       }},
      {"intermediate digest",
       [](Draft& d, Dice& r) {
         d.middle(r).digest = pick(r, std::vector<const char*>{"SHA1", "SHA384", "SHA512"});
       }},
      {"root digest", [](Draft& d, Dice&) { d.root().digest = "SHA1"; }},
      {"PSS signatures",
       [](Draft& d, Dice& r) {
         for (Forgery& level : d.levels) {
           level.key = key_of(r, "rsa-2048");
           level.pss = true;
         }
       }},
      {"leaf validity",
       [](Draft& d, Dice& r) {
         (roll(r, 2) == 0 ? d.leaf().not_after : d.leaf().not_before) =
             kNow + base::Seconds(static_cast<int>(roll(r, 3)) - 1);
       }},
      {"intermediate validity",
       [](Draft& d, Dice& r) {
         Forgery& middle = d.middle(r);
         (roll(r, 2) == 0 ? middle.not_after : middle.not_before) =
             kNow + base::Seconds(static_cast<int>(roll(r, 3)) - 1);
       }},
      {"root validity",
       [](Draft& d, Dice& r) {
         (roll(r, 2) == 0 ? d.root().not_after : d.root().not_before) =
             kNow + base::Seconds(static_cast<int>(roll(r, 3)) - 1);
       }},
      {"root constraints",
       [](Draft& d, Dice& r) { set(d.root(), r, "basicConstraints", basic_constraints()); }},
      {"intermediate constraints",
       [](Draft& d, Dice& r) { set(d.middle(r), r, "basicConstraints", basic_constraints()); }},
      {"leaf constraints",
       [](Draft& d, Dice& r) {
         set(d.leaf(), r, "basicConstraints", {"", "critical,CA:TRUE", "CA:FALSE"});
       }},
      {"root key usage", [](Draft& d, Dice& r) { set(d.root(), r, "keyUsage", ca_key_usages()); }},
      {"intermediate key usage",
       [](Draft& d, Dice& r) { set(d.middle(r), r, "keyUsage", ca_key_usages()); }},
      {"leaf key usage",
       [](Draft& d, Dice& r) {
         set(d.leaf(), r, "keyUsage",
             {"", "critical,keyEncipherment", "critical,dataEncipherment", "keyAgreement",
              "critical,digitalSignature,keyCertSign"});
       }},
      {"leaf extended usage",
       [](Draft& d, Dice& r) { set(d.leaf(), r, "extendedKeyUsage", extended_usages()); }},
      {"intermediate extended usage",
       [](Draft& d, Dice& r) { set(d.middle(r), r, "extendedKeyUsage", extended_usages()); }},
      {"root extended usage",
       [](Draft& d, Dice& r) { set(d.root(), r, "extendedKeyUsage", extended_usages()); }},
      {"leaf serial",
       [](Draft& d, Dice& r) {
         d.leaf().serial = pick(r, Values{"00", "-05", "7f" + std::string(44, '1')});
       }},
      {"root serial",
       [](Draft& d, Dice& r) {
         d.root().serial = pick(r, Values{"00", "-05", "7f" + std::string(44, '1')});
       }},
      {"intermediate serial",
       [](Draft& d, Dice& r) {
         d.middle(r).serial = pick(
             r, Values{"00", "-05", "ff" + std::string(38, '1'), "7f" + std::string(300, '1')});
       }},
      {"unknown critical extension of the leaf",
       [](Draft& d, Dice&) { d.leaf().with("1.2.3.4", std::string(kUnknown)); }},
      {"unknown critical extension of an intermediate",
       [](Draft& d, Dice& r) { d.middle(r).with("1.2.3.4", std::string(kUnknown)); }},
      {"unknown critical extension of the root",
       [](Draft& d, Dice&) { d.root().with("1.2.3.4", std::string(kUnknown)); }},
      {"critical known extension",
       [](Draft& d, Dice& r) {
         Forgery& any = pick(r, std::vector<int>{0, 1}) == 0 ? d.leaf() : d.middle(r);
         switch (roll(r, 4)) {
           case 0:
             any.with("certificatePolicies", "critical,1.2.3.1");
             break;
           case 1:
             any.with("crlDistributionPoints", "critical,URI:http://crl.example.com/1.crl");
             break;
           case 2:
             any.with("subjectKeyIdentifier", "critical,hash");
             break;
           default:
             any.with("authorityInfoAccess", "critical,OCSP;URI:http://ocsp.example.com");
         }
       }},
      {"extension in another encoding",
       [](Draft& d, Dice& r) {
         Forgery& any = pick(r, std::vector<int>{0, 1}) == 0 ? d.leaf() : d.middle(r);
         switch (roll(r, 6)) {
           case 0:  // unused bits that are set
             any.with("keyUsage", "critical,DER:030202FF");
             break;
           case 1:  // a SEQUENCE that says it is primitive
             any.with("extendedKeyUsage", "DER:100A06082B06010505070301");
             break;
           case 2:  // permitted subtrees that say they are primitive: example.com
             d.middle(r).with("nameConstraints",
                              "critical,DER:3011800F300D820B6578616D706C652E636F6D");
             break;
           case 3:  // a list of permitted subtrees without one: excluded example.net
             d.middle(r).with("nameConstraints",
                              "critical,DER:3013A000A10F300D820B6578616D706C652E6E6574");
             break;
           case 4:  // a list of none
             any.with("crlDistributionPoints", "DER:3000");
             break;
           default:  // a name with a control character
             d.leaf().with("subjectAltName",
                           "DER:3016820F7765622E6578616D706C652E636F6D8203610A62");
         }
       }},
      {"policies",
       [](Draft& d, Dice& r) {
         for (std::size_t i = 1; i < d.levels.size(); ++i) {
           set(d.levels[i], r, "certificatePolicies",
               {"", "1.2.3.1", "1.2.3.1,1.2.3.2", "2.5.29.32.0"});
         }
       }},
      {"policy constraints",
       [](Draft& d, Dice& r) {
         for (std::size_t i = 1; i < d.levels.size(); ++i) {
           d.levels[i].with("certificatePolicies",
                            pick(r, Values{"1.2.3.1", "1.2.3.1", "1.2.3.2", ""}));
         }
         set(d.middle(r), r, "policyConstraints",
             {"critical,requireExplicitPolicy:0", "critical,requireExplicitPolicy:1",
              "critical,requireExplicitPolicy:0,inhibitPolicyMapping:0"});
       }},
      {"policy mappings",
       [](Draft& d, Dice& r) {
         for (std::size_t i = 1; i < d.levels.size(); ++i) {
           d.levels[i].with("certificatePolicies",
                            pick(r, Values{"1.2.3.1", "1.2.3.2", "2.5.29.32.0"}));
         }
         d.middle(r).with("policyMappings", "1.2.3.1:1.2.3.2");
         d.middle(r).with("policyConstraints", "critical,requireExplicitPolicy:0");
         if (roll(r, 2) == 0) d.middle(r).with("inhibitAnyPolicy", "critical,0");
       }},
      {"identifier of another key",
       [](Draft& d, Dice& r) {
         (roll(r, 2) == 0 ? d.leaf() : d.middle(r))
             .with("authorityKeyIdentifier", "DER:30058003010203");
       }},
      {"no key identifiers",
       [](Draft& d, Dice&) {
         for (Forgery& level : d.levels) {
           level.with("subjectKeyIdentifier", "");
           level.with("authorityKeyIdentifier", "");
         }
       }},
      {"issuer in other letters",
       [](Draft& d, Dice& r) {
         d.leaf().issuer_name =
             pick(r, Values{"O=FORGE,CN=level 1", "O=Forge,CN=level  1", "O=Forge,CN=elsewhere"});
       }},
      {"issuer in another encoding", [](Draft& d, Dice&) { d.leaf().issuer_as_printable = true; }},
      {"leaf of another version",
       [](Draft& d, Dice&) {
         d.leaf().version = 1;
         d.leaf().extensions.clear();
       }},
      {"root of version 1",
       [](Draft& d, Dice&) {
         d.root().version = 1;
         d.root().extensions.clear();
         if (d.levels.size() > 1) d.levels[1].with("authorityKeyIdentifier", "");
       }},
      {"signature by another key",
       [](Draft& d, Dice& r) {
         (roll(r, 2) == 0 ? d.leaf() : d.middle(r)).signing_key = key_of(r, "p256");
       }},
      {"exponent",
       [](Draft& d, Dice& r) { any_level(d, r).key = key_of(r, pick(r, exponents())); }},
      {"compressed point",
       [](Draft& d, Dice& r) {
         Forgery& any = any_level(d, r);
         any.key = pki::testing::ec_key();  // its own, since it stays so
         any.compressed_point = true;
       }},
      {"version 4", [](Draft& d, Dice& r) { any_level(d, r).version = 4; }},
      {"begin before 1970",
       [](Draft& d, Dice& r) { any_level(d, r).not_before = base::Instant(-base::days(400)); }},
      {"policies that are not well formed",
       [](Draft& d, Dice& r) {
         static const std::vector<pki::testing::ExtensionText> values = {
             {"inhibitAnyPolicy", "0"},
             {"inhibitAnyPolicy", "critical,DER:0201FF"},
             {"policyConstraints", "requireExplicitPolicy:0"},
             {"policyConstraints", "inhibitPolicyMapping:0"},
             {"policyConstraints", "DER:3000"},
             {"policyConstraints", "critical,DER:3000"},
             {"policyConstraints", "DER:30038001FF"},
             {"policyConstraints", "critical,DER:30038101FF"},
             {"certificatePolicies", "DER:300C300406022A03300406022A03"},
             {"certificatePolicies", "critical,DER:300C300406022A03300406022A03"},
             {"certificatePolicies", "DER:3000"},
             {"policyMappings", "DER:3000"}};
         const auto& [name, value] = pick(r, values);
         any_level(d, r).with(name, value);
       }},
  };
  return all;
}

}  // namespace

std::span<const Dimension> dimensions_of_certificates() {
  return table();
}

}  // namespace meshtrust::interop
