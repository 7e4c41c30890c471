#include "base/text.h"
#include "tests/pki/path_scene.h"

#include <gmock/gmock.h>

namespace meshtrust::pki {
namespace {

using testing::answer;
using testing::ask;
using testing::Forgery;
using testing::kNow;
using testing::PathScene;

/// One rule: what spoils a good chain, and the failure that follows.
struct Rule {
  std::string name;
  std::function<void(PathScene&)> spoil;
  std::string wanted = "accepted";
  std::function<void(ChainQuestion&)> also = [](ChainQuestion&) {};
  std::string advice = {};  ///< the rule of lint, where the failure follows only with --strict
  std::string behind = {};  ///< what follows where the failure follows only with --strict
};

template <class Case>
Case advised(std::string advice, Case one) {
  one.advice = std::move(advice);
  one.behind = "accepted";
  return one;
}

template <class Case>
Case refused_anyway(std::string behind, Case one) {
  one.behind = std::move(behind);
  return one;
}

/// The rules of lint that the path breaks which our own verdict accepts.
std::string advice_on(const ChainQuestion& question) {
  std::vector<std::string> rules;
  for (const PathFailure& finding : judge_chain(question, "meshtrust").findings) {
    rules.emplace_back(info_of(finding.check).lint_rule);
  }
  return base::join(rules, ", ");
}

template <class Case>
void expect_answer(ChainQuestion question, const Case& one) {
  EXPECT_EQ(answer(question), one.behind.empty() ? one.wanted : one.behind);
  EXPECT_EQ(advice_on(question), one.advice);
  question.is_strict = true;
  EXPECT_EQ(answer(question), one.wanted);
}

class OwnRules : public ::testing::TestWithParam<Rule> {};

TEST_P(OwnRules, Hold) {
  PathScene scene;
  GetParam().spoil(scene);
  ChainQuestion question = ask(scene);
  question.purpose = Purpose::kServer;
  GetParam().also(question);
  expect_answer(question, GetParam());
}

const auto as_is = [](PathScene&) {};

std::function<void(PathScene&)> on_leaf(const std::string& name, const std::string& value) {
  return [=](PathScene& s) { s.leaf.with(name, value); };
}
std::function<void(PathScene&)> on_east(const std::string& name, const std::string& value) {
  return [=](PathScene& s) { s.east.with(name, value); };
}
std::function<void(PathScene&)> on_root(const std::string& name, const std::string& value) {
  return [=](PathScene& s) { s.root.with(name, value); };
}
std::function<void(ChainQuestion&)> at(base::Instant time) {
  return [=](ChainQuestion& q) { q.at = time; };
}
std::function<void(ChainQuestion&)> for_name(NameForm form, const std::string& value) {
  return [=](ChainQuestion& q) { q.name = ReferenceName{.form = form, .value = value}; };
}
std::function<void(ChainQuestion&)> purpose(Purpose wanted) {
  return [=](ChainQuestion& q) { q.purpose = wanted; };
}

INSTANTIATE_TEST_SUITE_P(
    Certificates,
    OwnRules,
    ::testing::Values(
        Rule{"a_good_chain", as_is},
        Rule{"extensions_in_version_1", [](PathScene& s) { s.leaf.version = 1; },
             "version_mismatch"},
        Rule{"a_leaf_of_version_1",
             [](PathScene& s) {
               s.leaf.version = 1;
               s.leaf.extensions.clear();
             }},
        Rule{"an_intermediate_of_version_1",
             [](PathScene& s) {
               s.east.version = 1;
               s.east.extensions.clear();
               s.leaf.with("authorityKeyIdentifier", "");
             },
             "ca_version"},
        Rule{"an_anchor_of_version_1",
             [](PathScene& s) {
               s.root.version = 1;
               s.root.extensions.clear();
               s.east.with("authorityKeyIdentifier", "");
             }},
        advised("serial-positive", Rule{"a_negative_serial", [](PathScene& s) { s.leaf.serial = "-05"; }, "serial_negative"}),
        advised("serial-positive", Rule{"a_serial_of_zero", [](PathScene& s) { s.leaf.serial = "00"; }, "serial_zero"}),
        Rule{"a_root_with_serial_zero", [](PathScene& s) { s.root.serial = "00"; }},
        Rule{"a_serial_of_20_octets",
             [](PathScene& s) { s.leaf.serial = "7f" + std::string(38, '1'); }},
        advised("serial-length", Rule{"a_serial_of_21_octets",
             [](PathScene& s) { s.leaf.serial = "8f" + std::string(38, '1'); }, "serial_too_long"}),
        Rule{"no_subject_and_a_critical_name",
             [](PathScene& s) {
               s.leaf.subject = "";
               s.leaf.with("subjectAltName", "critical,DNS:web.example.com");
             }},
        advised("svid-names-critical", Rule{"no_subject_and_a_name_that_is_not_critical",
             [](PathScene& s) { s.leaf.subject = ""; }, "names_not_critical"}),
        advised("subject-present", Rule{"a_ca_without_a_subject",
             [](PathScene& s) {
               s.east.subject = "";
               s.leaf.with("authorityKeyIdentifier", "");
             },
             "subject_empty"}),
        Rule{"an_extension_twice",
             [](PathScene& s) { s.leaf.extensions.emplace_back("keyUsage", "digitalSignature"); },
             "duplicate_extension"},
        Rule{"a_name_extension_that_does_not_parse", on_leaf("subjectAltName", "DER:656667"),
             "extension_malformed"},
        Rule{"bytes_behind_an_extension", on_leaf("keyUsage", "DER:030205a000"),
             "extension_malformed"},
        Rule{"an_extension_with_a_long_length",
             on_leaf("keyUsage",
                     "DER:038102"
                     "05a0"),
             "extension_malformed"},
        advised("extension-readable", Rule{"access_information_that_does_not_parse", on_leaf("authorityInfoAccess", "DER:0500"),
             "extension_malformed"}),
        Rule{"an_unknown_critical_extension_in_the_leaf", on_leaf("1.2.3.4", "critical,DER:0500"),
             "unknown_critical_extension"},
        Rule{"an_unknown_critical_extension_in_the_root", on_root("1.2.3.4", "critical,DER:0500"),
             "unknown_critical_extension"},
        Rule{"an_unknown_extension", on_leaf("1.2.3.4", "DER:0500")},
        Rule{"critical_freshest_lists",
             on_leaf("freshestCRL", "critical,URI:http://ca.example.com/crl"),
             "critical_flag_wrong"},
        advised("policy-limits-critical",
                Rule{"inhibit_any_policy_not_critical", on_east("inhibitAnyPolicy", "5"),
                     "policy_limits_not_critical"}),
        advised("empty-list", Rule{"policies_of_none", on_leaf("certificatePolicies", "DER:3000"),
                                   "list_empty"}),
        advised("empty-list", Rule{"access_information_of_none",
                                   on_leaf("authorityInfoAccess", "DER:3000"), "list_empty"}),
        Rule{"policy_constraints_of_none", on_east("policyConstraints", "critical,DER:3000"),
             "extension_empty"},
        advised("extension-readable",
                Rule{"an_issuer_name_that_does_not_parse", on_leaf("issuerAltName", "DER:0500"),
                     "extension_malformed"}),
        Rule{"a_critical_key_identifier", on_east("subjectKeyIdentifier", "critical,hash"),
             "critical_flag_wrong"},
        Rule{"critical_access_information",
             on_leaf("authorityInfoAccess", "critical,caIssuers;URI:http://ca.example.com/ca"),
             "critical_flag_wrong"},
        advised("policy-limits-critical", Rule{"policy_constraints_not_critical",
             on_east("policyConstraints", "requireExplicitPolicy:5"), "policy_limits_not_critical"}),
        advised("basic-constraints-critical", Rule{"an_anchor_whose_ca_flag_is_not_critical", on_root("basicConstraints", "CA:TRUE"),
             "ca_flag_not_critical"}),
        Rule{"an_intermediate_whose_ca_flag_is_not_critical",
             on_east("basicConstraints", "CA:TRUE")},
        Rule{"an_empty_key_usage", on_leaf("keyUsage", "critical,DER:030100"), "key_usage_empty"},
        advised("path-length-without-ca", Rule{"a_path_length_without_a_ca", on_leaf("basicConstraints", "critical,DER:3003020100"),
             "path_length_without_ca"}),
        advised("svid-no-ca-usage", Rule{"a_leaf_that_may_sign_certificates",
             on_leaf("keyUsage", "critical,digitalSignature,keyCertSign"), "cert_sign_without_ca"}),
        advised("key-usage-cert-sign", Rule{"a_leaf_that_is_a_ca_and_may_not_sign",
             on_leaf("basicConstraints", "critical,CA:TRUE"), "ca_without_cert_sign"}),
        Rule{"a_ca_as_the_leaf",
             [](PathScene& s) {
               s.leaf.with("basicConstraints", "critical,CA:TRUE");
               s.leaf.with("keyUsage", "critical,digitalSignature,keyCertSign");
             }},
        advised("name-constraints-without-ca", Rule{"constraints_in_a_leaf", on_leaf("nameConstraints", "permitted;DNS:example.com"),
             "name_constraints_without_ca"}),
        advised("alternative-names-form", Rule{"an_alternative_name_of_three_octets", on_leaf("subjectAltName", "DER:300587030a0000"),
             "name_malformed"}),
        advised("alternative-names-form", Rule{"no_alternative_names", on_leaf("subjectAltName", "DER:3000"), "name_malformed"}),
        Rule{"a_weak_leaf_key", [](PathScene& s) { s.leaf.key = testing::rsa_key(1024); },
             "key_not_allowed"},
        Rule{"an_intermediate_key_that_anybody_signs_for",
             [](PathScene& s) { s.east.key = testing::rsa_key_with_exponent("1"); },
             "key_not_allowed"},
        Rule{"an_odd_leaf_key", [](PathScene& s) { s.leaf.key = testing::rsa_key(2052); },
             "key_not_allowed"},
        Rule{"an_rsa_chain",
             [](PathScene& s) {
               s.root.key = testing::rsa_key(2048);
               s.east.key = testing::rsa_key(2048);
             }},
        Rule{"another_curve", [](PathScene& s) { s.leaf.key = testing::ec_key("secp256k1"); },
             "key_not_allowed"},
        Rule{"p521", [](PathScene& s) { s.east.key = testing::ec_key("P-521"); }},
        Rule{"sha1_on_an_intermediate", [](PathScene& s) { s.east.digest = "SHA1"; },
             "signature_algorithm_not_allowed"},
        Rule{"sha1_on_the_root_itself", [](PathScene& s) { s.root.digest = "SHA1"; }},
        Rule{"sha224", [](PathScene& s) { s.leaf.digest = "SHA224"; },
             "signature_algorithm_not_allowed"},
        Rule{"sha512_with_p256", [](PathScene& s) { s.leaf.digest = "SHA512"; }}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Places,
    OwnRules,
    ::testing::Values(Rule{"the_first_second", as_is, "accepted", at(kNow - base::days(1))},
                      Rule{"before_the_first_second", as_is, "not_yet_valid",
                           at(kNow - base::days(1) - base::Seconds(1))},
                      Rule{"the_last_second", as_is, "accepted", at(kNow + base::days(1))},
                      Rule{"after_the_last_second", as_is, "expired",
                           at(kNow + base::days(1) + base::Seconds(1))},
                      Rule{"an_expired_root",
                           [](PathScene& s) { s.root.not_after = kNow - base::Seconds(1); },
                           "expired"},
                      Rule{"an_expired_intermediate",
                           [](PathScene& s) { s.east.not_after = kNow - base::Seconds(1); },
                           "expired"},
                      Rule{"validity_reversed",
                           [](PathScene& s) {
                             s.leaf.not_after = s.leaf.not_before - base::Seconds(1);
                           },
                           "validity_reversed"},
                      refused_anyway("not_a_ca",
                                     Rule{"an_intermediate_that_is_no_ca",
                                          on_east("basicConstraints", "critical,CA:FALSE"),
                                          "cert_sign_without_ca"}),
                      Rule{"an_intermediate_without_basic_constraints",
                           [](PathScene& s) {
                             s.east.with("basicConstraints", "");
                             s.east.with("keyUsage", "");
                           },
                           "not_a_ca"},
                      Rule{"a_root_without_basic_constraints",
                           [](PathScene& s) {
                             s.root.with("basicConstraints", "");
                             s.root.with("keyUsage", "");
                           },
                           "not_a_ca"},
                      Rule{"a_ca_without_key_usage", on_east("keyUsage", "")},
                      Rule{"a_root_that_may_not_sign",
                           on_root("keyUsage", "critical,digitalSignature"), "no_cert_sign"},
                      Rule{"a_root_with_path_length_0",
                           on_root("basicConstraints", "critical,CA:TRUE,pathlen:0"),
                           "path_length_exceeded"},
                      Rule{"a_root_with_path_length_1",
                           on_root("basicConstraints", "critical,CA:TRUE,pathlen:1")},
                      Rule{"a_signature_by_another_key",
                           [](PathScene& s) { s.leaf.signing_key = testing::ec_key(); },
                           "signature_invalid"},
                      Rule{"an_identifier_of_another_key",
                           on_leaf("authorityKeyIdentifier", "DER:30058003010203")},
                      advised("authority-key-id-form",
                              Rule{"an_identifier_with_nothing_in_it",
                                   on_leaf("authorityKeyIdentifier", "DER:3000"),
                                   "authority_key_malformed"}),
                      advised("authority-key-id-form",
                              Rule{"an_identifier_with_a_serial_alone",
                                   on_east("authorityKeyIdentifier", "DER:3003820105"),
                                   "authority_key_malformed"}),
                      Rule{"a_root_with_its_own_identifier",
                           on_root("authorityKeyIdentifier", "keyid:always")},
                      advised("root-authority-key-id",
                              Rule{"a_root_with_the_identifier_of_another_key",
                                   on_root("authorityKeyIdentifier", "DER:30058003010203"),
                                   "self_signed_by_another_key"}),
                      Rule{"names_that_differ_in_case_and_blanks",
                           [](PathScene& s) { s.leaf.issuer_name = "O=FORGE,CN=East"; }},
                      Rule{"names_that_differ_in_encoding",
                           [](PathScene& s) { s.leaf.issuer_as_printable = true; }},
                      Rule{"another_issuer",
                           [](PathScene& s) { s.leaf.issuer_name = "O=Forge,CN=west"; }, "no_path"},
                      Rule{"too_deep", as_is, "too_deep",
                           [](ChainQuestion& q) { q.most_intermediates = 0; }},
                      Rule{"deep_enough", as_is, "accepted",
                           [](ChainQuestion& q) { q.most_intermediates = 1; }},
                      Rule{"no_roots", as_is, "no_path",
                           [](ChainQuestion& q) { q.anchors.clear(); }},
                      Rule{"an_intermediate_as_the_anchor", as_is, "accepted",
                           [](ChainQuestion& q) { q.anchors = {q.chain[1]}; }},
                      Rule{"the_leaf_as_the_anchor", as_is, "accepted",
                           [](ChainQuestion& q) { q.anchors = {q.chain[0]}; }},
                      Rule{"a_self_signed_stranger", as_is, "self_signed_not_trusted",
                           [](ChainQuestion& q) {
                             Forgery stranger;
                             stranger.subject = "CN=stranger";
                             q.chain = {
                                 testing::as_path(testing::forge_root(stranger).certificate)};
                             q.purpose = Purpose::kAny;
                           }}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Purposes,
    OwnRules,
    ::testing::Values(
        Rule{"a_server_as_a_client", as_is, "extended_key_usage", purpose(Purpose::kClient)},
        Rule{"a_server_as_anything", as_is, "accepted", purpose(Purpose::kAny)},
        Rule{"no_extended_usage", on_leaf("extendedKeyUsage", "")},
        Rule{"any_usage", on_leaf("extendedKeyUsage", "anyExtendedKeyUsage")},
        Rule{"an_empty_extended_usage", on_leaf("extendedKeyUsage", "DER:3000"), "extension_empty"},
        Rule{"an_intermediate_for_clients", on_east("extendedKeyUsage", "clientAuth"),
             "extended_key_usage"},
        Rule{"an_intermediate_for_servers", on_east("extendedKeyUsage", "serverAuth")},
        Rule{"an_intermediate_for_anything", on_east("extendedKeyUsage", "anyExtendedKeyUsage")},
        Rule{"a_root_for_mail", on_root("extendedKeyUsage", "emailProtection"),
             "extended_key_usage"},
        Rule{"an_intermediate_for_mail_asked_for_nothing",
             on_east("extendedKeyUsage", "emailProtection"), "extended_key_usage",
             purpose(Purpose::kAny)},
        Rule{"a_key_for_encipherment_as_a_server", on_leaf("keyUsage", "critical,keyEncipherment")},
        advised("svid-digital-signature",
                Rule{"a_key_for_encipherment_as_a_client",
                     [](PathScene& s) {
                       s.leaf.with("keyUsage", "critical,keyEncipherment");
                       s.leaf.with("extendedKeyUsage", "clientAuth");
                     },
                     "key_usage_excludes_purpose", purpose(Purpose::kClient)}),
        advised("svid-digital-signature",
                Rule{"a_key_for_data_alone", on_leaf("keyUsage", "critical,dataEncipherment"),
                     "key_usage_excludes_purpose"})),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Names,
    OwnRules,
    ::testing::Values(
        Rule{"its_name", as_is, "accepted", for_name(NameForm::kDns, "web.example.com")},
        Rule{"its_name_in_capitals", as_is, "accepted",
             for_name(NameForm::kDns, "WEB.example.COM")},
        Rule{"its_name_as_a_rooted_one", as_is, "accepted",
             for_name(NameForm::kDns, "web.example.com.")},
        advised("alternative-names-form",
                Rule{"a_name_of_no_host_as_it_stands", on_leaf("subjectAltName", "DNS:a..b."),
                     "name_malformed", for_name(NameForm::kDns, "A..b.")}),
        Rule{"a_parent", as_is, "name_mismatch", for_name(NameForm::kDns, "example.com")},
        Rule{"a_child", as_is, "name_mismatch", for_name(NameForm::kDns, "a.web.example.com")},
        Rule{"below_its_wildcard", as_is, "accepted",
             for_name(NameForm::kDns, "shop.apps.example.com")},
        Rule{"two_below_its_wildcard", as_is, "name_mismatch",
             for_name(NameForm::kDns, "a.shop.apps.example.com")},
        Rule{"the_name_of_its_wildcard", as_is, "name_mismatch",
             for_name(NameForm::kDns, "apps.example.com")},
        refused_anyway("name_mismatch",
                       Rule{"half_a_wildcard", on_leaf("subjectAltName", "DNS:w*.example.com"),
                            "name_malformed", for_name(NameForm::kDns, "web.example.com")}),
        refused_anyway("name_mismatch",
                       Rule{"a_wildcard_in_the_middle", on_leaf("subjectAltName", "DNS:web.*.com"),
                            "name_malformed", for_name(NameForm::kDns, "web.example.com")}),
        Rule{"a_wildcard_over_a_top_level_name", on_leaf("subjectAltName", "DNS:*.com"),
             "name_mismatch", for_name(NameForm::kDns, "example.com")},
        Rule{"the_common_name_never",
             [](PathScene& s) {
               s.leaf.subject = "CN=web.example.com";
               s.leaf.with("subjectAltName", "");
             },
             "name_mismatch", for_name(NameForm::kDns, "web.example.com")},
        Rule{"its_address", as_is, "accepted",
             for_name(NameForm::kIp, std::string("\x0a\x00\x00\x01", 4))},
        Rule{"another_address", as_is, "name_mismatch",
             for_name(NameForm::kIp, std::string("\x0a\x00\x00\x02", 4))},
        Rule{"an_address_written_as_a_name", on_leaf("subjectAltName", "DNS:10.0.0.1"),
             "name_mismatch", for_name(NameForm::kIp, std::string("\x0a\x00\x00\x01", 4))},
        Rule{"its_mailbox", on_leaf("subjectAltName", "email:Joe@Example.com"), "accepted",
             for_name(NameForm::kEmail, "Joe@example.com")},
        Rule{"a_mailbox_in_another_case", on_leaf("subjectAltName", "email:Joe@example.com"),
             "name_mismatch", for_name(NameForm::kEmail, "joe@example.com")},
        Rule{"its_identity", on_leaf("subjectAltName", "URI:spiffe://cluster.local/ns/a/sa/b"),
             "accepted", for_name(NameForm::kUri, "spiffe://CLUSTER.local/ns/a/sa/b")},
        Rule{"another_identity", on_leaf("subjectAltName", "URI:spiffe://cluster.local/ns/a/sa/b"),
             "name_mismatch", for_name(NameForm::kUri, "spiffe://cluster.local/ns/A/sa/b")}),
    [](const auto& test) { return test.param.name; });

/// A constraint on the intermediate, and a name below it.
struct Constraint {
  std::string name;
  std::string constraints;
  std::string names;
  std::string wanted = "accepted";
  std::string subject = "O=Forge,CN=web";
  std::string advice = {};
  std::string behind = {};
};

class Constraints : public ::testing::TestWithParam<Constraint> {};

TEST_P(Constraints, Hold) {
  PathScene scene;
  scene.east.with("nameConstraints", "critical," + GetParam().constraints);
  scene.leaf.with("subjectAltName", GetParam().names);
  scene.leaf.subject = GetParam().subject;
  expect_answer(ask(scene), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    OwnRules,
    Constraints,
    ::testing::Values(
        Constraint{"dns_itself", "permitted;DNS:example.com", "DNS:example.com"},
        Constraint{"dns_below", "permitted;DNS:example.com", "DNS:A.B.EXAMPLE.com"},
        Constraint{"dns_with_an_ending_alone", "permitted;DNS:example.com", "DNS:badexample.com",
                   "name_not_permitted"},
        Constraint{"dns_second_name", "permitted;DNS:example.com",
                   "DNS:example.com,DNS:example.net", "name_not_permitted"},
        advised("dns-constraint-dotted",
                Constraint{"dns_leading_dot", "permitted;DNS:.example.com", "DNS:a.example.com",
                           "dns_constraint_dotted"}),
        advised("dns-constraint-dotted",
                Constraint{"dns_leading_dot_excluded", "excluded;DNS:.example.com",
                           "DNS:example.net", "dns_constraint_dotted"}),
        advised("name-constraint-bounds",
                Constraint{"dns_minimum_of_zero",
                           "DER:3014A0123010820b6578616d706c652e636f6d800100", "DNS:a.example.com",
                           "name_constraint_bounds"}),
        Constraint{"dns_minimum_of_one", "DER:3014A0123010820b6578616d706c652e636f6d800101",
                   "DNS:a.example.com", "name_constraints_malformed"},
        Constraint{"dns_maximum", "DER:3014A0123010820b6578616d706c652e636f6d810100",
                   "DNS:a.example.com", "name_constraints_malformed"},
        advised("empty-list",
                Constraint{"lists_of_none", "DER:3004A000A100", "DNS:example.com", "list_empty"}),
        advised("empty-list",
                Constraint{"excluded_of_none", "DER:3002A100", "DNS:example.com", "list_empty"}),
        Constraint{"a_form_that_nobody_knows_and_nobody_uses", "DER:3006A1043002A300",
                   "DNS:example.com"},
        Constraint{"lone_common_name_outside", "permitted;DNS:example.com", "",
                   "name_not_permitted", "CN=web.example.net"},
        Constraint{"lone_common_name_outside_with_a_dot_behind", "permitted;DNS:example.com", "",
                   "name_constraint_unsupported", "CN=web.example.net."},
        Constraint{"lone_common_name_of_a_wildcard_outside", "permitted;DNS:example.com", "",
                   "name_not_permitted", "CN=*.example.net"},
        Constraint{"lone_common_name_excluded", "excluded;DNS:example.com", "", "name_excluded",
                   "CN=web.example.com"},
        Constraint{"lone_common_name_within", "permitted;DNS:example.com", "", "accepted",
                   "CN=web.example.com"},
        Constraint{"lone_common_name_that_is_a_title", "permitted;DNS:example.com", "", "accepted",
                   "CN=web"},
        Constraint{"lone_common_name_below_other_constraints", "permitted;IP:10.0.0.0/255.0.0.0",
                   "", "accepted", "CN=web.example.com"},
        Constraint{"common_name_beside_another_name", "permitted;DNS:example.com", "IP:10.0.0.1",
                   "accepted", "CN=web.example.net"},
        Constraint{"dns_excluded", "excluded;DNS:example.com", "DNS:a.example.com",
                   "name_excluded"},
        Constraint{"dns_not_excluded", "excluded;DNS:example.com", "DNS:example.net"},
        Constraint{"dns_wildcard_over_an_excluded_name", "excluded;DNS:www.example.com",
                   "DNS:*.example.com", "name_excluded"},
        Constraint{"dns_wildcard_within", "permitted;DNS:example.com", "DNS:*.example.com"},
        Constraint{"dns_wildcard_wider", "permitted;DNS:www.example.com", "DNS:*.example.com",
                   "name_not_permitted"},
        advised("alternative-names-form",
                Constraint{"dns_name_of_no_host", "permitted;DNS:example.com",
                           "DNS:.a*/b.example.com", "name_malformed"}),
        refused_anyway("name_not_permitted",
                       Constraint{"dns_name_of_no_host_outside", "permitted;DNS:example.com",
                                  "DNS:a*b.example.net", "name_malformed"}),
        refused_anyway("name_excluded",
                       Constraint{"dns_name_of_no_host_excluded", "excluded;DNS:example.com",
                                  "DNS:a*b.example.com", "name_malformed"}),
        refused_anyway("name_constraint_unsupported",
                       Constraint{"dns_name_with_a_dot_at_the_end", "excluded;DNS:example.com",
                                  "DNS:a.example.com.", "name_malformed"}),
        refused_anyway("name_constraint_unsupported",
                       Constraint{"dns_name_with_a_zero_octet", "permitted;DNS:example.com",
                                  "DER:3010820e61002e6578616d706c652e636f6d", "name_malformed"}),
        Constraint{"dns_constraint_of_a_wildcard", "permitted;DNS:*.example.com",
                   "DNS:a.example.com", "name_constraints_malformed"},
        Constraint{"dns_does_not_concern_addresses", "permitted;DNS:example.com", "IP:10.0.0.1"},
        Constraint{"dns_does_not_concern_the_common_name", "permitted;DNS:example.com",
                   "DNS:example.com", "accepted", "CN=other.example.net"},
        Constraint{"ip_within", "permitted;IP:10.0.0.0/255.0.0.0", "IP:10.1.2.3"},
        Constraint{"ip_outside", "permitted;IP:10.0.0.0/255.0.0.0", "IP:11.1.2.3",
                   "name_not_permitted"},
        Constraint{"ip_excluded", "excluded;IP:10.0.0.0/255.0.0.0", "IP:10.1.2.3", "name_excluded"},
        Constraint{"ip6_within", "permitted;IP:2001:db8::/ffff:ffff::", "IP:2001:db8::1"},
        Constraint{"ip6_where_only_ip4_is_permitted", "permitted;IP:10.0.0.0/255.0.0.0",
                   "IP:2001:db8::1", "name_not_permitted"},
        Constraint{"ip_with_holes_in_the_mask", "permitted;IP:10.0.0.0/255.0.255.0", "IP:10.0.0.1",
                   "name_constraints_malformed"},
        Constraint{"ip_without_a_mask",
                   "DER:300aa0083006870"
                   "47f000001",
                   "IP:127.0.0.1", "name_constraints_malformed"},
        advised("empty-list",
                Constraint{"no_subtrees", "DER:3000", "DNS:example.com", "list_empty"}),
        Constraint{"mailbox", "permitted;email:joe@example.com", "email:joe@EXAMPLE.com"},
        Constraint{"another_mailbox", "permitted;email:joe@example.com", "email:Joe@example.com",
                   "name_not_permitted"},
        Constraint{"mailbox_excluded_in_this_case_alone", "excluded;email:joe@example.com",
                   "email:Joe@example.com"},
        Constraint{"mail_host", "permitted;email:example.com", "email:joe@example.com"},
        Constraint{"mail_host_below", "permitted;email:example.com", "email:joe@mx.example.com",
                   "name_not_permitted"},
        Constraint{"mail_domain", "permitted;email:.example.com", "email:joe@mx.example.com"},
        Constraint{"mail_domain_itself", "permitted;email:.example.com", "email:joe@example.com",
                   "name_not_permitted"},
        Constraint{"mail_constraint_malformed", "permitted;email:a@b@example.com",
                   "email:a@example.com", "name_constraints_malformed"},
        Constraint{"mail_malformed", "permitted;email:example.com", "email:a@b@example.com",
                   "name_constraint_unsupported"},
        Constraint{"mail_in_the_subject", "permitted;email:example.com", "DNS:example.com",
                   "name_not_permitted", "CN=web,emailAddress=joe@example.net"},
        Constraint{"uri_host", "permitted;URI:cluster.local",
                   "URI:spiffe://Cluster.Local:8080/ns/a"},
        Constraint{"uri_below", "permitted;URI:cluster.local", "URI:spiffe://a.cluster.local/x",
                   "name_not_permitted"},
        Constraint{"uri_domain", "permitted;URI:.cluster.local", "URI:spiffe://a.cluster.local/x"},
        Constraint{"uri_excluded", "excluded;URI:cluster.local", "URI:spiffe://cluster.local/x",
                   "name_excluded"},
        Constraint{"uri_with_user", "permitted;URI:cluster.local",
                   "URI:https://evil.com@cluster.local/x", "name_constraint_unsupported"},
        Constraint{"uri_with_an_address", "permitted;URI:cluster.local", "URI:https://10.0.0.1/x",
                   "name_constraint_unsupported"},
        Constraint{"uri_with_a_bracket", "permitted;URI:cluster.local", "URI:https://[::1]/x",
                   "name_constraint_unsupported"},
        Constraint{"uri_with_percent", "permitted;URI:cluster.local",
                   "URI:https://cluster%2elocal/x", "name_constraint_unsupported"},
        Constraint{"uri_with_a_dot_at_the_end", "permitted;URI:cluster.local",
                   "URI:https://cluster.local./x", "name_constraint_unsupported"},
        Constraint{"uri_without_a_host", "excluded;URI:cluster.local", "URI:urn:uuid:1",
                   "name_constraint_unsupported"},
        Constraint{"uri_constraint_of_a_uri", "permitted;URI:spiffe://cluster.local",
                   "URI:spiffe://cluster.local/x", "name_constraints_malformed"},
        Constraint{"uri_constraint_of_nothing", "DER:3006A10430028600",
                   "URI:spiffe://cluster.local/x", "name_constraints_malformed"},
        Constraint{"another_form_that_nobody_uses", "excluded;RID:1.2.3", "DNS:example.com"},
        Constraint{"another_form_that_somebody_uses", "excluded;RID:1.2.3",
                   "DNS:example.com,RID:1.2.3", "name_constraint_unsupported"}),
    [](const auto& test) { return test.param.name; });

TEST(NameConstraints, OfADirectoryHoldForTheSubject) {
  PathScene scene;
  // permitted: directoryName O=Forge
  const std::string forge = "DER:3018a0163014a4123010310e300c060355040a0c05464f524745";
  scene.east.with("nameConstraints", "critical," + forge);
  EXPECT_EQ(answer(ask(scene)), "accepted");
  scene.leaf.subject = "O=Other,CN=web";
  EXPECT_EQ(answer(ask(scene)), "name_not_permitted");
}

TEST(NameConstraints, DoNotHoldForSelfIssuedIntermediates) {
  testing::Forgery upper = testing::intermediate_forgery("O=Forge,CN=east");
  upper.with("basicConstraints", "critical,CA:TRUE");
  upper.with("nameConstraints", "critical,permitted;DNS:example.com");
  const testing::Identity root = testing::forge_root();
  const testing::Identity above = testing::forge(upper, root);
  testing::Forgery lower = testing::intermediate_forgery("O=Forge,CN=east");
  lower.with("subjectAltName", "DNS:example.net");
  for (const auto& [subject, wanted] : {std::pair{"O=Forge,CN=east", "accepted"},
                                        std::pair{"O=Forge,CN=south", "name_not_permitted"}}) {
    lower.subject = subject;
    const testing::Identity below = testing::forge(lower, above);
    ChainQuestion question;
    question.chain = {testing::path_of(PathScene::server_forgery(), below),
                      testing::as_path(below.certificate), testing::as_path(above.certificate)};
    question.anchors = {testing::as_path(root.certificate)};
    question.at = kNow;
    EXPECT_EQ(answer(question), wanted) << subject;
  }
}

}  // namespace
}  // namespace meshtrust::pki
