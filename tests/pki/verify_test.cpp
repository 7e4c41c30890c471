#include "pki/verify.h"

#include "tests/pki/forge.h"

#include <gmock/gmock.h>

#include <functional>

namespace meshtrust::pki {
namespace {

using testing::forge;
using testing::forge_root;
using testing::Forgery;
using testing::Identity;
using testing::intermediate_forgery;
using testing::kNow;
using testing::leaf_forgery;

/// root -> east -> leaf, each of which a case may spoil before it is made.
struct Scene {
  Forgery root;
  Forgery east = intermediate_forgery();
  Forgery leaf = leaf_forgery();
};

std::string describe(const std::vector<Verdict>& verdicts) {
  std::string text;
  for (const Verdict& verdict : verdicts) {
    text += verdict.judge + ": " + verdict.reason + "\n";
  }
  return text;
}

struct Case {
  std::string name;
  std::function<void(Scene&)> spoil = [](Scene&) {};
  std::function<void(TrustQuestion&)> ask = [](TrustQuestion&) {};
  std::string openssl;  ///< the reason; empty: accepted
  std::string botan;
};

TrustQuestion question_of(const Case& each) {
  Scene scene;
  each.spoil(scene);
  const Identity root = forge_root(scene.root);
  const Identity east = forge(scene.east, root);
  const Identity leaf = forge(scene.leaf, east);
  TrustQuestion question{
      .chain = {leaf.certificate, east.certificate}, .roots = {root.certificate}, .at = kNow};
  each.ask(question);
  return question;
}

class Judges : public ::testing::TestWithParam<Case> {};

TEST_P(Judges, Say) {
  const TrustQuestion question = question_of(GetParam());
  const std::vector<Verdict> wanted = {
      {.judge = "openssl", .accepted = GetParam().openssl.empty(), .reason = GetParam().openssl},
      {.judge = "botan", .accepted = GetParam().botan.empty(), .reason = GetParam().botan}};
  const std::vector<Verdict> verdicts = judge(question);
  EXPECT_TRUE(verdicts == wanted) << describe(verdicts) << "wanted\n" << describe(wanted);
  EXPECT_EQ(all_accept(verdicts), GetParam().openssl.empty() && GetParam().botan.empty());
}

const auto nothing = [](Scene&) {};
const auto as_is = [](TrustQuestion&) {};

INSTANTIATE_TEST_SUITE_P(
    Verify,
    Judges,
    ::testing::Values(
        Case{"good_leaf", nothing, as_is, "", ""},
        Case{"good_intermediate", nothing, [](TrustQuestion& q) { q.chain.erase(q.chain.begin()); },
             "", ""},
        Case{"root_itself", nothing, [](TrustQuestion& q) { q.chain = q.roots; }, "", ""},
        Case{"root_in_the_chain", nothing,
             [](TrustQuestion& q) { q.chain.push_back(q.roots.front()); }, "", ""},
        Case{
            "chain_out_of_order_with_a_stranger", nothing,
            [](TrustQuestion& q) { q.chain.insert(q.chain.begin() + 1, forge_root().certificate); },
            "", ""},
        Case{"intermediate_as_anchor", nothing,
             [](TrustQuestion& q) {
               q.roots = {q.chain.back()};
               q.chain.pop_back();
             },
             "", "Certificate issuer not found"},
        Case{"leaf_expired", nothing,
             [](TrustQuestion& q) { q.at = kNow + base::days(1) + base::Seconds(1); },
             "certificate has expired", "Certificate has expired"},
        Case{"not_yet_valid", nothing,
             [](TrustQuestion& q) { q.at = kNow - base::days(1) - base::Seconds(1); },
             "certificate is not yet valid", "Certificate is not yet valid"},
        Case{"intermediate_expired", [](Scene& s) { s.east.not_after = kNow - base::Seconds(1); },
             as_is, "certificate has expired", "Certificate has expired"},
        Case{"root_expired", [](Scene& s) { s.root.not_after = kNow - base::Seconds(1); }, as_is,
             "certificate has expired", "Certificate has expired"},
        Case{"namesake_of_the_root", nothing,
             [](TrustQuestion& q) { q.roots = {forge_root().certificate}; },
             "unable to get local issuer certificate", "Certificate issuer not found"},
        Case{"no_root", nothing, [](TrustQuestion& q) { q.roots.clear(); },
             "unable to get local issuer certificate", "Certificate issuer not found"},
        Case{"self_signed_and_not_trusted", nothing,
             [](TrustQuestion& q) { q.chain = {forge_root().certificate}; },
             "self-signed certificate", "Cannot establish trust"},
        Case{"root_itself_expired", [](Scene& s) { s.root.not_after = kNow - base::Seconds(1); },
             [](TrustQuestion& q) { q.chain = q.roots; }, "certificate has expired",
             "Certificate has expired"},
        Case{"missing_intermediate", nothing, [](TrustQuestion& q) { q.chain.pop_back(); },
             "unable to get local issuer certificate", "Certificate issuer not found"},
        Case{"bad_signature", [](Scene& s) { s.east.signing_key = testing::ec_key(); }, as_is,
             "certificate signature failure", "Signature error"},
        Case{"root_path_length_0",
             [](Scene& s) { s.root.with("basicConstraints", "critical,CA:TRUE,pathlen:0"); }, as_is,
             "path length constraint exceeded", "Certificate chain too long"},
        Case{"root_path_length_0_asked_of_the_intermediate",
             [](Scene& s) { s.root.with("basicConstraints", "critical,CA:TRUE,pathlen:0"); },
             [](TrustQuestion& q) { q.chain.erase(q.chain.begin()); },
             "",  // as if the intermediate were the leaf; so does istiod's own check at load
             ""},
        Case{"intermediate_is_no_ca",
             [](Scene& s) { s.east.with("basicConstraints", "critical,CA:FALSE"); }, as_is,
             "invalid CA certificate", "CA certificate not allowed to issue certs"},
        Case{"intermediate_may_not_sign",
             [](Scene& s) { s.east.with("keyUsage", "critical,digitalSignature"); }, as_is,
             "invalid CA certificate", "CA certificate not allowed to issue certs"},
        Case{"weak_intermediate_key", [](Scene& s) { s.east.key = testing::rsa_key(1024); }, as_is,
             "CA certificate key too weak", "Signature method too weak"},
        Case{"sha1_on_the_intermediate", [](Scene& s) { s.east.digest = "SHA1"; }, as_is,
             "CA signature digest algorithm too weak",
             "Hash function used is considered too weak for security"},
        Case{"unknown_critical_extension",
             [](Scene& s) { s.east.with("1.2.3.4", "critical,DER:0500"); }, as_is,
             "unhandled critical extension", "Unknown critical extension encountered"},
        Case{"no_certificate", nothing, [](TrustQuestion& q) { q.chain.clear(); },
             "there is no certificate to judge", "there is no certificate to judge"}),
    [](const auto& test) { return test.param.name; });

TEST(Verify, LetsBotanJudgeAPairWithoutItsRoot) {
  const Identity root = forge_root();
  const Identity upper = forge(intermediate_forgery("CN=upper"), root);
  const Identity good = forge(leaf_forgery(), upper);
  EXPECT_EQ(judge_issuing_with_botan(good.certificate, upper.certificate, kNow),
            (Verdict{.judge = "botan", .accepted = true, .reason = {}}));
  EXPECT_EQ(judge_issuing_with_botan(good.certificate, root.certificate, kNow).reason,
            "Signature error");
  Forgery forged = leaf_forgery();
  forged.signing_key = testing::ec_key();
  EXPECT_EQ(
      judge_issuing_with_botan(forge(forged, upper).certificate, upper.certificate, kNow).reason,
      "Signature error");
}

TEST(Verify, TakesNoVerdictForNone) {
  EXPECT_FALSE(all_accept({}));
}

}  // namespace
}  // namespace meshtrust::pki
