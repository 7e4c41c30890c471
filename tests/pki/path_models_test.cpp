#include "tests/pki/path_scene.h"

#include <gmock/gmock.h>

// Where the modelled verifiers part, one case each. That the models are right is for
// tests/interop/verifiers to tell, which asks the verifiers themselves.

namespace meshtrust::pki {
namespace {

using testing::answer;
using testing::ask;
using testing::PathScene;

std::string takers_of(const ChainQuestion& question) {
  std::string takers;
  for (const std::string_view judge : {"meshtrust", "go", "boringssl", "webpki"}) {
    if (answer(question, judge) == "accepted") takers += std::string(judge) + " ";
  }
  if (!takers.empty()) takers.pop_back();
  return takers;
}

/// What spoils a good chain, and who takes it all the same.
struct Split {
  std::string name;
  std::function<void(PathScene&)> spoil;
  std::string takers;  ///< "meshtrust go boringssl webpki", as many of them
};

class Models : public ::testing::TestWithParam<Split> {};

TEST_P(Models, Part) {
  PathScene scene;
  GetParam().spoil(scene);
  ChainQuestion question = ask(scene);
  question.purpose = Purpose::kServer;
  EXPECT_EQ(takers_of(question), GetParam().takers);
}

std::function<void(PathScene&)> with_exponent(const std::string& exponent) {
  return [=](PathScene& s) { s.east.key = testing::rsa_key_with_exponent(exponent); };
}

std::function<void(PathScene&)> with_limit(const std::string& name, const std::string& value) {
  return [=](PathScene& s) { s.east.with(name, value); };
}

std::function<void(PathScene&)> under(const std::string& constraints, const std::string& names) {
  return [=](PathScene& s) {
    s.east.with("nameConstraints", "critical," + constraints);
    s.leaf.with("subjectAltName", names);
  };
}

/// Of addresses and their masks, as DER.
std::function<void(PathScene&)> under_network(const std::string& subtrees,
                                              const std::string& address) {
  return under("DER:" + subtrees, "IP:" + address);
}

std::string name_of_case(const ::testing::TestParamInfo<Split>& test) {
  return test.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    OverKeys,
    Models,
    ::testing::Values(
        Split{"exponent_1", with_exponent("1"), ""},
        Split{"exponent_3", with_exponent("3"), "meshtrust go boringssl webpki"},
        Split{"exponent_of_32_bits", with_exponent("2147483659"), "meshtrust boringssl webpki"},
        Split{"exponent_of_33_bits", with_exponent("8589934583"), "meshtrust boringssl webpki"},
        Split{"exponent_of_34_bits", with_exponent("8589934609"), ""},
        Split{"exponent_of_65_bits", with_exponent("18446744073709551629"), ""},
        Split{"compressed_point", [](PathScene& s) { s.east.compressed_point = true; },
              "meshtrust boringssl"}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    OverForms,
    Models,
    ::testing::Values(
        Split{"version_4", [](PathScene& s) { s.leaf.version = 4; }, ""},
        Split{"begin_in_1969",
              [](PathScene& s) { s.leaf.not_before = base::Instant(-base::days(30)); },
              "meshtrust go boringssl"},
        Split{"inhibit_any_not_critical", with_limit("inhibitAnyPolicy", "0"),
              "meshtrust go boringssl webpki"},
        Split{"inhibit_any_below_zero", with_limit("inhibitAnyPolicy", "critical,DER:0201FF"),
              "go"},
        Split{"policy_limits_of_none", with_limit("policyConstraints", "DER:3000"), "go webpki"},
        Split{"policy_limits_below_zero", with_limit("policyConstraints", "DER:30038001FF"),
              "go webpki"},
        Split{"policy_twice", with_limit("certificatePolicies", "1.2.3.1,1.2.3.1"), "webpki"},
        Split{"policy_twice_in_the_root",
              [](PathScene& s) { s.root.with("certificatePolicies", "1.2.3.1,1.2.3.1"); },
              "boringssl webpki"}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    OverNames,
    Models,
    ::testing::Values(
        Split{"subdomain_of_a_uri_host", under("permitted;URI:good.com", "URI:https://x.good.com"),
              "go"},
        Split{"subdomain_of_an_excluded_uri_host",
              under("excluded;URI:good.com", "URI:https://x.good.com"), "meshtrust boringssl"},
        Split{"user_in_a_uri", under("permitted;URI:good.com", "URI:https://user@good.com/x"),
              "go"},
        Split{"two_ports_in_a_uri", under("excluded;URI:bad.com", "URI:https://good.com:1:2"), ""},
        Split{"underscore_in_a_uri", under("permitted;URI:.good.com", "URI:https://a_b.good.com"),
              "meshtrust go"},
        Split{"dot_behind_a_uri_host", under("permitted;URI:good.com", "URI:https://good.com./"),
              "boringssl"},
        Split{"blank_in_a_host", under("permitted;DNS:good.com", "DNS:x y.good.com"), "boringssl"},
        Split{"dot_behind_a_host", under("permitted;DNS:good.com", "DNS:good.com."), "boringssl"},
        Split{"star_in_a_host", under("permitted;DNS:good.com", "DNS:a.*.good.com"),
              "meshtrust go boringssl"},
        Split{"hyphen_behind_a_label", under("permitted;DNS:good.com", "DNS:x-.good.com"),
              "meshtrust go boringssl"},
        Split{"address_as_a_host", under("excluded;DNS:good.com", "DNS:1.2.3.4"),
              "meshtrust go boringssl"},
        Split{"subdomain_of_a_mail_host", under("permitted;email:good.com", "email:a@x.good.com"),
              "go"},
        Split{"excluded_mailbox_in_capitals",
              under("excluded;email:a@good.com", "email:A@good.com"), "meshtrust go boringssl"},
        Split{"quotes_in_a_mailbox", under("permitted;email:good.com", "email:\"a b\"@good.com"),
              "meshtrust go"},
        Split{"a_constraint_with_a_star", under("excluded;DNS:*.bad.com", "DNS:good.com"),
              "go boringssl"},
        Split{"an_unread_constraint_behind_a_match",
              under("permitted;email:good.com,permitted;email:a_b.com", "email:a@good.com"),
              "meshtrust go boringssl"},
        Split{"a_minimum_behind_a_match",
              under("DER:301CA01A300A8208676F6F642E636F6D300C82076261642E636F6D800101",
                    "DNS:good.com"),
              "go"},
        Split{"a_minimum_of_zero",
              under("DER:3011A00F300D8208676F6F642E636F6D800100", "DNS:good.com"), "meshtrust go"},
        Split{"a_mask_with_a_hole_elsewhere",
              under_network("300EA10C300A87080A000000FF00FF00", "11.0.0.1"), "webpki"},
        Split{"a_mask_with_a_hole", under_network("300EA10C300A87080A000000FF00FF00", "10.0.0.1"),
              ""},
        Split{"host_bits_behind_another_network",
              under_network("301AA018300A870809000000FF000000300A87080A000005FF000000", "10.0.0.1"),
              "meshtrust webpki"},
        Split{"an_address_of_ipv4_below_all_of_ipv6",
              under_network("3026A02430228720" + std::string(64, '0'), "::ffff:10.0.0.1"),
              "meshtrust webpki"},
        Split{"an_empty_uri_constraint", under("DER:3006A10430028600", "DNS:good.com"),
              "go boringssl webpki"}),
    name_of_case);

/// Who finds the host that is asked for in the one name that the leaf has.
struct Reference {
  std::string name;
  std::string presented;
  std::string wanted;
  std::string takers;
};

class References : public ::testing::TestWithParam<Reference> {};

TEST_P(References, Part) {
  PathScene scene;
  scene.leaf.with("subjectAltName", GetParam().presented);
  ChainQuestion question = ask(scene);
  const auto octets = ip_octets(GetParam().wanted);
  question.name = ReferenceName{.form = octets ? NameForm::kIp : NameForm::kDns,
                                .value = octets.value_or(GetParam().wanted)};
  EXPECT_EQ(takers_of(question), GetParam().takers);
}

INSTANTIATE_TEST_SUITE_P(
    Verifiers,
    References,
    ::testing::Values(
        Reference{"equal", "DNS:web.example.com", "WEB.example.com",
                  "meshtrust go boringssl webpki"},
        Reference{"a_wildcard", "DNS:*.example.com", "web.example.com",
                  "meshtrust go boringssl webpki"},
        Reference{"a_wildcard_for_two_labels", "DNS:*.example.com", "a.web.example.com", ""},
        Reference{"a_wildcard_before_one_label", "DNS:*.example", "web.example", "go"},
        Reference{"a_dot_behind_what_is_asked_for", "DNS:web.example.com", "web.example.com.",
                  "meshtrust go webpki"},
        Reference{"a_dot_behind_both", "DNS:web.example.com.", "web.example.com.",
                  "meshtrust go boringssl"},
        Reference{"two_dots_in_both", "DNS:web..example.com", "web..example.com",
                  "meshtrust go boringssl"},
        Reference{"an_underscore_for_the_star", "DNS:*.example.com", "_web.example.com",
                  "meshtrust go webpki"},
        Reference{"an_underscore_behind_the_star", "DNS:*.my_ns.example.com",
                  "web.my_ns.example.com", "meshtrust go webpki"},
        Reference{"a_hyphen_for_the_star", "DNS:*.example.com", "-web.example.com", "boringssl"},
        Reference{"a_hyphen_behind_a_label", "DNS:web-.example.com", "web-.example.com",
                  "meshtrust go boringssl"},
        Reference{"a_host_that_ends_in_a_number", "DNS:example.123", "example.123",
                  "meshtrust go boringssl"},
        Reference{"an_address", "IP:10.0.0.5", "10.0.0.5", "meshtrust go boringssl webpki"},
        Reference{"an_address_in_brackets", "IP:::1", "[::1]", "go"},
        Reference{"an_address_mapped_into_another", "IP:10.0.0.5", "::ffff:10.0.0.5", "go"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace meshtrust::pki
