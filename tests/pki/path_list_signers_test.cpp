#include "tests/pki/path_scene.h"

#include <gtest/gtest.h>

namespace meshtrust::pki {
namespace {

using testing::answer;
using testing::as_path;
using testing::CrlForgery;
using testing::forge;
using testing::forge_crl;
using testing::Forgery;
using testing::Identity;
using testing::kNow;

constexpr const char* kLeafSerial = "0123456789abcdef0123456789abcdef";
constexpr const char* kEast = "O=Forge,CN=east";
constexpr const char* kIndirect = "critical,DER:30038401ff";
/// Two points without names, whose lists are issued by "O=Forge,CN=lists-x" and "...-y".
constexpr const char* kPointsOfXAndY =
    "DER:30543028a226a4243022310e300c060355040a0c05466f7267653110300e06035504030c076c697374732d7830"
    "28a226a4243022310e300c060355040a0c05466f7267653110300e06035504030c076c697374732d79";
constexpr const char* kIssuerEast =
    "critical,DER:3023a421301f310e300c060355040a0c05466f726765310d300b06035504030c0465617374";

Forgery signer_forgery(const std::string& subject = kEast) {
  Forgery wanted = testing::intermediate_forgery(subject);
  wanted.serial = "77";
  wanted.with("basicConstraints", "critical,CA:FALSE").with("keyUsage", "critical,cRLSign");
  return wanted;
}

CrlForgery revoking(const std::string& serial = kLeafSerial) {
  CrlForgery wanted;
  wanted.serials = {serial};
  return wanted;
}

/// Later than others in every way, and empty.
CrlForgery later() {
  CrlForgery wanted;
  wanted.this_update = kNow - base::Seconds(1);
  wanted.extensions = {{"crlNumber", "DER:020150"}};
  return wanted;
}

/// root -> east -> leaf, with a list of the root; cases add whoever signs lists.
struct Scene {
  Identity root = testing::forge_root();
  Identity east = forge(testing::intermediate_forgery(), root);
  Forgery leaf = testing::PathScene::server_forgery();
  std::vector<Certificate> helpers;
  std::vector<Certificate> more_roots;
  std::vector<PathCrl> lists = {forge_crl({}, root)};

  const Identity& help(Identity identity) {
    helpers.push_back(identity.certificate);
    identities_.push_back(std::make_unique<Identity>(std::move(identity)));
    return *identities_.back();
  }
  void list(const CrlForgery& wanted, const Identity& issuer) {
    lists.push_back(forge_crl(wanted, issuer));
  }
  ChainQuestion question() const {
    ChainQuestion question;
    question.chain = {testing::path_of(leaf, east), as_path(east.certificate)};
    for (const Certificate& one : helpers) {
      question.chain.push_back(as_path(one));
    }
    question.anchors = {as_path(root.certificate)};
    for (const Certificate& one : more_roots) {
      question.anchors.push_back(as_path(one));
    }
    question.at = kNow;
    question.asks_revocation = true;
    question.crls = lists;
    return question;
  }

 private:
  std::vector<std::unique_ptr<Identity>> identities_;
};

struct Case {
  std::string name;
  std::function<void(Scene&)> arrange;
  std::string wanted = "accepted";
};

class ListSigners : public ::testing::TestWithParam<Case> {};

TEST_P(ListSigners, AreBelievedWhereTheyStand) {
  Scene scene;
  GetParam().arrange(scene);
  EXPECT_EQ(answer(scene.question()), GetParam().wanted);
}

INSTANTIATE_TEST_SUITE_P(
    OwnRules,
    ListSigners,
    ::testing::Values(
        Case{"another_key_that_the_root_certified",
             [](Scene& s) { s.list({}, s.help(forge(signer_forgery(), s.root))); }},
        Case{"that_key_revokes",
             [](Scene& s) { s.list(revoking(), s.help(forge(signer_forgery(), s.root))); },
             "revoked"},
        Case{"that_key_was_revoked",
             [](Scene& s) {
               s.list({}, s.help(forge(signer_forgery(), s.root)));
               s.lists.front() = forge_crl(revoking("77"), s.root);
             },
             "crl_signature_invalid"},
        Case{"another_key_of_a_ca_that_signs_no_certificates",
             [](Scene& s) {
               Forgery signer = signer_forgery();
               signer.with("basicConstraints", "critical,CA:TRUE");
               s.list({}, s.help(forge(signer, s.root)));
             }},
        Case{"another_key_that_only_its_own_lists_speak_for",
             [](Scene& s) { s.list({}, s.help(forge(signer_forgery(), s.east))); },
             "crl_signature_invalid"},
        Case{"another_key_may_not_take_back_what_the_own_key_revoked",
             [](Scene& s) {
               s.list(revoking(), s.east);
               s.list(later(), s.help(forge(signer_forgery(), s.root)));
             },
             "revoked"},
        Case{"a_key_that_the_ca_certified_may_not_either",
             [](Scene& s) {
               s.list(revoking(), s.east);
               s.list(later(), s.help(forge(signer_forgery(), s.east)));
             },
             "revoked"},
        Case{"a_namesake_under_another_root",
             [](Scene& s) {
               Forgery other;
               other.subject = "O=Forge,CN=Other Root";
               const Identity stranger = testing::forge_root(other);
               s.more_roots = {stranger.certificate};
               s.list({}, stranger);
               s.list({}, s.help(forge(testing::intermediate_forgery(), stranger)));
             },
             "crl_signature_invalid"},
        Case{"a_namesake_under_a_sibling",
             [](Scene& s) {
               const Identity& west =
                   s.help(forge(testing::intermediate_forgery("O=Forge,CN=west"), s.root));
               s.list({}, west);
               s.list({}, s.help(forge(signer_forgery(), west)));
             },
             "crl_signature_invalid"},
        Case{"a_namesake_under_a_sibling_does_not_take_back",
             [](Scene& s) {
               s.list(revoking(), s.east);
               const Identity& west =
                   s.help(forge(testing::intermediate_forgery("O=Forge,CN=west"), s.root));
               s.list({}, west);
               s.list(later(), s.help(forge(signer_forgery(), west)));
             },
             "revoked"},
        Case{"an_indirect_list_of_an_issuer_that_the_leaf_names",
             [](Scene& s) {
               s.leaf.with("2.5.29.31", kPointsOfXAndY);
               CrlForgery list;
               list.extensions.emplace_back("issuingDistributionPoint", kIndirect);
               s.list(list, s.help(forge(signer_forgery("O=Forge,CN=lists-x"), s.root)));
             }},
        Case{"an_indirect_list_under_another_root",
             [](Scene& s) {
               s.leaf.with("2.5.29.31", kPointsOfXAndY);
               Forgery other;
               other.subject = "O=Forge,CN=Other Root";
               const Identity stranger = testing::forge_root(other);
               s.more_roots = {stranger.certificate};
               s.list({}, stranger);
               CrlForgery list;
               list.extensions.emplace_back("issuingDistributionPoint", kIndirect);
               s.list(list, s.help(forge(signer_forgery("O=Forge,CN=lists-x"), stranger)));
             },
             "crl_signature_invalid"},
        Case{"a_later_indirect_list_of_another_issuer_takes_nothing_back",
             [](Scene& s) {
               s.leaf.with("2.5.29.31", kPointsOfXAndY);
               CrlForgery of_x = later();
               of_x.extensions.emplace_back("issuingDistributionPoint", kIndirect);
               CrlForgery of_y;
               of_y.extensions.emplace_back("issuingDistributionPoint", kIndirect);
               of_y.serials_of_others = {{kLeafSerial, kIssuerEast}};
               s.list(of_x, s.help(forge(signer_forgery("O=Forge,CN=lists-x"), s.root)));
               s.list(of_y, s.help(forge(signer_forgery("O=Forge,CN=lists-y"), s.root)));
             },
             "revoked"},
        Case{"more_signers_than_anybody_has",
             [](Scene& s) {
               s.list({}, s.east);
               for (int i = 0; i < 51; ++i) {
                 s.list({}, s.help(forge(signer_forgery(), s.root)));
               }
             },
             "search_limit"},
        Case{"more_signatures_than_anybody_needs",
             [](Scene& s) {
               Forgery east = testing::intermediate_forgery();
               east.key = testing::ec_key("P-521");
               s.east = forge(east, s.root);
               CrlForgery stray;
               stray.signing_key = testing::ec_key();
               for (int i = 0; i < 401; ++i) {
                 s.list(stray, s.east);
               }
               s.list({}, s.east);
             },
             "search_limit"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace meshtrust::pki
