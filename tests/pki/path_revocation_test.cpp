#include "tests/pki/path_scene.h"

#include <gmock/gmock.h>

namespace meshtrust::pki {
namespace {

using testing::answer;
using testing::as_path;
using testing::CrlForgery;
using testing::forge_crl;
using testing::Forgery;
using testing::Identity;
using testing::kNow;

constexpr const char* kLeafSerial = "0123456789abcdef0123456789abcdef";
constexpr const char* kPoint = "URI:http://crl.example.com/1.crl";

constexpr const char* kIndirect = "critical,DER:30038401ff";
/// "O=Forge,CN=lists-x".
constexpr const char* kIssuerX =
    "critical,DER:3026a4243022310e300c060355040a0c05466f7267653110300e06035504030c076c697374732d78";

/// A good chain with a list of the root and one of east, each of which a case may spoil.
struct Scene {
  Forgery root;
  Forgery east = testing::intermediate_forgery();
  Forgery leaf = testing::PathScene::server_forgery();
  CrlForgery of_root;
  CrlForgery of_east;
  std::vector<CrlForgery> more_of_east;
};

struct Case {
  std::string name;
  std::function<void(Scene&)> spoil;
  std::string wanted = "accepted";
  std::function<void(ChainQuestion&)> also = [](ChainQuestion&) {};
};

class Revocation : public ::testing::TestWithParam<Case> {};

TEST_P(Revocation, IsAskedOfEveryCertificate) {
  Scene scene;
  scene.east.serial = "77";
  GetParam().spoil(scene);
  const Identity root = testing::forge_root(scene.root);
  const Identity east = testing::forge(scene.east, root);
  ChainQuestion question;
  question.chain = {testing::path_of(scene.leaf, east), as_path(east.certificate)};
  question.anchors = {as_path(root.certificate)};
  question.at = kNow;
  question.asks_revocation = true;
  question.crls = {forge_crl(scene.of_root, root), forge_crl(scene.of_east, east)};
  for (const CrlForgery& more : scene.more_of_east) {
    question.crls.push_back(forge_crl(more, east));
  }
  GetParam().also(question);
  EXPECT_EQ(answer(question), GetParam().wanted);
}

std::function<void(Scene&)> east_list(const std::string& name, const std::string& value) {
  return [=](Scene& s) { s.of_east.extensions.emplace_back(name, value); };
}

INSTANTIATE_TEST_SUITE_P(
    OwnRules,
    Revocation,
    ::testing::Values(
        Case{"nothing_revoked", [](Scene&) {}},
        Case{"the_leaf",
             [](Scene& s) {
               s.of_east.serials = {"01", kLeafSerial};
             },
             "revoked"},
        Case{"the_intermediate", [](Scene& s) { s.of_root.serials = {"77"}; }, "revoked"},
        Case{"the_serial_on_another_list", [](Scene& s) { s.of_east.serials = {"77"}; }},
        Case{"a_list_missing", [](Scene&) {}, "crl_missing",
             [](ChainQuestion& q) { q.crls.erase(q.crls.begin()); }},
        Case{"lists_that_nobody_asked_for", [](Scene& s) { s.of_east.serials = {kLeafSerial}; },
             "accepted", [](ChainQuestion& q) { q.asks_revocation = false; }},
        Case{"a_list_past_its_time",
             [](Scene& s) { s.of_east.next_update = kNow - base::Seconds(1); }, "crl_not_current"},
        Case{"a_list_at_its_last_second", [](Scene& s) { s.of_east.next_update = kNow; }},
        Case{"a_list_of_the_future",
             [](Scene& s) { s.of_east.this_update = kNow + base::Seconds(1); }, "crl_not_current"},
        Case{"a_list_without_an_end", [](Scene& s) { s.of_east.next_update.reset(); },
             "crl_not_current"},
        Case{"an_old_list_beside_a_fresh_one",
             [](Scene& s) {
               s.more_of_east = {s.of_east};
               s.of_east.next_update = kNow - base::Seconds(1);
             }},
        Case{"taken_off_the_newer_list",
             [](Scene& s) {
               s.more_of_east = {s.of_east};
               s.of_east.this_update = kNow - base::days(3);
               s.of_east.serials = {kLeafSerial};
             }},
        Case{"revoked_by_a_later_list_of_the_same_second",
             [](Scene& s) {
               CrlForgery later;
               later.serials = {kLeafSerial};
               later.extensions = {{"crlNumber", "DER:020108"}};
               s.more_of_east = {later};
             },
             "revoked"},
        Case{"revoked_by_a_list_of_the_same_number_and_second",
             [](Scene& s) {
               s.more_of_east = {s.of_east};
               s.of_east.serials = {kLeafSerial};
             },
             "revoked"},
        Case{"a_greater_number_on_a_list_of_before",
             [](Scene& s) {
               CrlForgery restored;
               restored.this_update = kNow - base::days(3);
               restored.extensions = {{"crlNumber", "DER:02020100"}};
               s.more_of_east = {restored};
               s.of_east.serials = {kLeafSerial};
             }},
        Case{"a_list_by_another_key", [](Scene& s) { s.of_east.signing_key = testing::ec_key(); },
             "crl_signature_invalid"},
        Case{"a_list_with_sha1", [](Scene& s) { s.of_east.digest = "SHA1"; },
             "crl_signature_invalid"},
        Case{"an_issuer_that_may_not_sign_lists",
             [](Scene& s) { s.east.with("keyUsage", "critical,keyCertSign"); },
             "crl_issuer_no_crl_sign"},
        Case{"an_issuer_without_key_usage", [](Scene& s) { s.east.with("keyUsage", ""); }},
        Case{"a_list_without_a_number", [](Scene& s) { s.of_east.extensions.clear(); },
             "crl_unusable"},
        Case{"a_critical_number",
             [](Scene& s) {
               s.of_east.extensions = {{"crlNumber", "critical,DER:020107"}};
             },
             "crl_unusable"},
        Case{"a_serial_twice",
             [](Scene& s) {
               s.of_east.serials = {"05", "05"};
             },
             "crl_unusable"},
        Case{"a_serial_of_two_issuers",
             [](Scene& s) {
               s.of_east.serials = {"05"};
               s.of_east.serials_of_others = {{"05", kIssuerX}, {kLeafSerial, kIssuerX}};
               s.of_east.extensions.emplace_back("issuingDistributionPoint", kIndirect);
             }},
        Case{"a_serial_twice_of_another_issuer",
             [](Scene& s) {
               s.of_east.serials_of_others = {{"05", kIssuerX}, {"05", kIssuerX}};
               s.of_east.extensions.emplace_back("issuingDistributionPoint", kIndirect);
             },
             "crl_unusable"},
        Case{"an_unknown_critical_extension", east_list("1.2.3.4", "critical,DER:0500"),
             "crl_unusable"},
        Case{"an_unknown_extension", east_list("1.2.3.4", "DER:0500")},
        Case{"a_list_for_cas", east_list("issuingDistributionPoint", "critical,DER:30038201ff"),
             "crl_scope"},
        Case{"a_list_for_leaves", east_list("issuingDistributionPoint", "critical,DER:30038101ff")},
        Case{"a_list_for_attributes",
             east_list("issuingDistributionPoint", "critical,DER:30038501ff"), "crl_scope"},
        Case{"a_list_of_the_point",
             [](Scene& s) {
               s.leaf.with("crlDistributionPoints", kPoint);
               s.of_east.extensions.emplace_back(
                   "issuingDistributionPoint",
                   "critical,DER:3022a020a01e861c687474703a2f2f63726c2e6578616d706c652e636f6d2f312e"
                   "63726c");
             }},
        Case{"a_list_of_another_point",
             [](Scene& s) {
               s.leaf.with("crlDistributionPoints", "URI:http://crl.example.com/2.crl");
               s.of_east.extensions.emplace_back(
                   "issuingDistributionPoint",
                   "critical,DER:3022a020a01e861c687474703a2f2f63726c2e6578616d706c652e636f6d2f312e"
                   "63726c");
             },
             "crl_scope"},
        Case{"a_list_of_a_point_where_the_leaf_has_none",
             east_list(
                 "issuingDistributionPoint",
                 "critical,DER:3022a020a01e861c687474703a2f2f63726c2e6578616d706c652e636f6d2f31"
                 "2e63726c"),
             "crl_scope"},
        Case{"a_list_of_a_point_with_a_host_for_a_name",
             [](Scene& s) {
               s.leaf.with("crlDistributionPoints", kPoint);
               s.of_east.extensions.emplace_back(
                   "issuingDistributionPoint",
                   "critical,DER:3025a023a021861c687474703a2f2f63726c2e6578616d706c652e636f6d2f312e"
                   "63726c820161");
             },
             "crl_scope"},
        Case{"a_whole_list_beside_a_point_for_some_reasons",
             [](Scene& s) {
               s.leaf.with("2.5.29.31",
                           "DER:30283026a020a01e861c687474703a2f2f63726c2e6578616d706c652e636f6d2f"
                           "312e63726c81020640");
             }},
        Case{"revoked_on_a_whole_list_beside_a_point_for_some_reasons",
             [](Scene& s) {
               s.of_east.serials = {kLeafSerial};
               s.leaf.with("2.5.29.31",
                           "DER:30283026a020a01e861c687474703a2f2f63726c2e6578616d706c652e636f6d2f"
                           "312e63726c81020640");
             },
             "revoked"},
        Case{"a_list_for_some_reasons",
             east_list("issuingDistributionPoint", "critical,DER:300483020640"), "crl_scope"},
        Case{
            "a_delta_that_revokes",
            [](Scene& s) {
              CrlForgery delta;
              delta.serials = {kLeafSerial};
              delta.extensions = {{"crlNumber", "DER:020108"}, {"deltaCRL", "critical,DER:020107"}};
              s.more_of_east = {delta};
            },
            "revoked"},
        Case{
            "a_delta_of_a_later_base",
            [](Scene& s) {
              CrlForgery delta;
              delta.serials = {kLeafSerial};
              delta.extensions = {{"crlNumber", "DER:02010a"}, {"deltaCRL", "critical,DER:020109"}};
              s.more_of_east = {delta};
            }},
        Case{"a_delta_alone",
             [](Scene& s) { s.of_east.extensions.emplace_back("deltaCRL", "critical,DER:020107"); },
             "crl_missing"}),
    [](const auto& test) { return test.param.name; });

TEST(Revocation, FindsAnotherWayRoundARevokedIntermediate) {
  const Identity root = testing::forge_root();
  Forgery first = testing::intermediate_forgery();
  first.serial = "77";
  const Identity revoked = testing::forge(first, root);
  Forgery second = first;
  second.serial = "78";
  second.key = revoked.key;
  const Identity good = testing::forge(second, root);
  CrlForgery of_root;
  of_root.serials = {"77"};
  ChainQuestion question;
  question.chain = {testing::path_of(testing::PathScene::server_forgery(), revoked),
                    as_path(revoked.certificate), as_path(good.certificate)};
  question.anchors = {as_path(root.certificate)};
  question.at = kNow;
  question.asks_revocation = true;
  question.crls = {forge_crl(of_root, root), forge_crl({}, good)};
  EXPECT_EQ(answer(question), "accepted");
}

}  // namespace
}  // namespace meshtrust::pki
