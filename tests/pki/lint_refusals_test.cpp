#include "pki/lint.h"
#include "tests/pki/path_scene.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>

// Who refuses what, as the table of rules says it, and as the verifiers say it themselves: OpenSSL
// really, the others by their models, which tests/interop holds against the real ones.

namespace meshtrust::pki {
namespace {

using testing::ask;
using testing::PathScene;

struct Refusal {
  std::string rule;
  std::function<void(PathScene&)> spoil;
};

/// "Go, Envoy, ztunnel, OpenSSL", those of them that refuse the server.
std::string who_refuses(const PathScene& scene) {
  struct Named {
    const char* name;
    const char* judge;
  };
  std::string text;
  for (const Named& one : {Named{"Go", "go"}, Named{"Envoy", "boringssl"},
                           Named{"ztunnel", "webpki"}, Named{"OpenSSL", "openssl"}}) {
    ChainQuestion question = ask(scene);
    question.purpose = Purpose::kServer;
    const bool refuses = !judge_chain(question, one.judge).accepted;
    if (refuses) text += (text.empty() ? "" : ", ") + std::string(one.name);
  }
  return text;
}

std::function<void(PathScene&)> on_east(const std::string& name, const std::string& value) {
  return [=](PathScene& s) { s.east.with(name, value); };
}

const std::vector<Refusal>& refusals() {
  static const std::vector<Refusal> all = {
      {"serial-positive", [](PathScene& s) { s.east.serial = "-0123456789abcdef01"; }},
      {"serial-length", [](PathScene& s) { s.east.serial = "01" + std::string(40, 'a'); }},
      {"duplicate-extension",
       [](PathScene& s) {
         s.east.extensions.emplace_back("basicConstraints", "critical,CA:TRUE");
       }},
      {"unknown-critical-extension", on_east("1.2.3.4", "critical,DER:0500")},
      {"path-length-without-ca",
       [](PathScene& s) { s.leaf.with("basicConstraints", "critical,CA:FALSE,pathlen:0"); }},
      {"critical-policies", on_east("certificatePolicies", "critical,1.2.3.4")},
      {"issuer-name-bytes", [](PathScene& s) { s.leaf.issuer_as_printable = true; }},
      {"basic-constraints-present", on_east("basicConstraints", "")},
      {"basic-constraints-ca", on_east("basicConstraints", "critical,CA:FALSE")},
      {"key-usage-cert-sign", on_east("keyUsage", "critical,cRLSign")},
      {"uri-constraints",
       [](PathScene& s) {
         s.east.with("nameConstraints", "critical,permitted;URI:cluster.local");
         s.leaf.with("subjectAltName", "URI:spiffe://cluster.local/ns/a/sa/b");
       }},
      {"mail-constraints",
       [](PathScene& s) {
         s.east.with("nameConstraints", "critical,permitted;email:example.com");
         s.leaf.with("subjectAltName", "email:joe@example.com");
       }},
      {"address-constraints",
       [](PathScene& s) {
         s.east.with("nameConstraints", "critical,permitted;IP:10.0.0.0/255.0.0.0");
         s.leaf.with("subjectAltName", "IP:10.0.0.1");
       }},
      {"directory-constraints",
       on_east("nameConstraints",
               "critical,DER:3018a0163014a4123010310e300c060355040a0c05466f726765")},
      {"authority-key-id-matches",
       [](PathScene& s) { s.leaf.with("authorityKeyIdentifier", "DER:30058003010203"); }},
      {"signature-hash", [](PathScene& s) { s.leaf.digest = "SHA1"; }},
      {"svid-no-ca",
       [](PathScene& s) {
         s.leaf.with("basicConstraints", "critical,CA:TRUE");
         s.leaf.with("keyUsage", "critical,digitalSignature,keyCertSign");
       }},
  };
  return all;
}

TEST(LintRules, NameThoseWhoRefuse) {
  for (const Refusal& one : refusals()) {
    PathScene scene;
    one.spoil(scene);
    const auto rules = lint_rules();
    const auto rule = std::ranges::find(rules, one.rule, &Rule::id);
    ASSERT_NE(rule, rules.end()) << one.rule;
    EXPECT_EQ(who_refuses(scene), rule->refused_by) << one.rule;
  }
}

}  // namespace
}  // namespace meshtrust::pki
