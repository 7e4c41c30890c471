#include "tests/pki/path_scene.h"

#include <gmock/gmock.h>

namespace meshtrust::pki {
namespace {

using testing::answer;
using testing::as_path;
using testing::Forgery;
using testing::Identity;

/// root -> upper -> lower -> leaf, with the policy extensions of each.
struct PolicyCase {
  std::string name;
  std::vector<testing::ExtensionText> upper;
  std::vector<testing::ExtensionText> lower;
  std::vector<testing::ExtensionText> leaf;
  std::string wanted = "accepted";
  bool lower_is_self_issued = false;
};

class Policies : public ::testing::TestWithParam<PolicyCase> {};

TEST_P(Policies, AreFollowed) {
  const auto with = [](Forgery wanted, const std::vector<testing::ExtensionText>& extensions) {
    for (const auto& [name, value] : extensions) {
      wanted.with(name, value);
    }
    return wanted;
  };
  const auto ca = [&](const std::string& subject, const auto& extensions) {
    Forgery wanted = testing::intermediate_forgery(subject);
    wanted.with("basicConstraints", "critical,CA:TRUE");
    return with(wanted, extensions);
  };
  const Identity root = testing::forge_root();
  const Identity upper = testing::forge(ca("CN=upper", GetParam().upper), root);
  const std::string name = GetParam().lower_is_self_issued ? "CN=upper" : "CN=lower";
  const Identity lower = testing::forge(ca(name, GetParam().lower), upper);
  ChainQuestion question;
  question.chain = {
      testing::path_of(with(testing::PathScene::server_forgery(), GetParam().leaf), lower),
      as_path(lower.certificate), as_path(upper.certificate)};
  question.anchors = {as_path(root.certificate)};
  question.at = testing::kNow;
  EXPECT_EQ(answer(question), GetParam().wanted);
}

const testing::ExtensionText one{"certificatePolicies", "1.2.3.1"};
const testing::ExtensionText two{"certificatePolicies", "1.2.3.2"};
const testing::ExtensionText any{"certificatePolicies", "2.5.29.32.0"};
const testing::ExtensionText demanded{"policyConstraints", "critical,requireExplicitPolicy:0"};
const testing::ExtensionText one_is_two{"policyMappings", "1.2.3.1:1.2.3.2"};

INSTANTIATE_TEST_SUITE_P(
    OwnRules,
    Policies,
    ::testing::Values(
        PolicyCase{"none_and_none_demanded", {}, {}, {}},
        PolicyCase{"different_ones_and_none_demanded", {one}, {two}, {one}},
        PolicyCase{"demanded_and_there", {one, demanded}, {one}, {one}},
        PolicyCase{"demanded_and_missing_in_the_leaf", {one, demanded}, {one}, {}, "policy"},
        PolicyCase{"demanded_and_another_in_the_leaf", {one, demanded}, {one}, {two}, "policy"},
        PolicyCase{"demanded_later",
                   {one, {"policyConstraints", "critical,requireExplicitPolicy:3"}},
                   {one},
                   {two}},
        PolicyCase{"demanded_by_the_leaf_itself", {one}, {two}, {one, demanded}, "policy"},
        PolicyCase{"any_covers_one", {any, demanded}, {one}, {one}},
        PolicyCase{"any_in_the_middle", {one, demanded}, {any}, {one}},
        PolicyCase{"any_inhibited",
                   {one, demanded, {"inhibitAnyPolicy", "critical,0"}},
                   {any},
                   {one},
                   "policy"},
        PolicyCase{"any_inhibited_after_a_self_issued_one",
                   {one, demanded, {"inhibitAnyPolicy", "critical,0"}},
                   {any},
                   {one},
                   "accepted",
                   true},
        PolicyCase{"mapped", {one, demanded}, {one, one_is_two}, {two}},
        PolicyCase{"mapped_away", {one, demanded}, {one, one_is_two}, {one}, "policy"},
        PolicyCase{
            "mapping_inhibited",
            {one, {"policyConstraints", "critical,requireExplicitPolicy:0,inhibitPolicyMapping:0"}},
            {one, one_is_two},
            {two},
            "policy"},
        PolicyCase{"mapping_of_any",
                   {one},
                   {one, {"policyMappings", "2.5.29.32.0:1.2.3.2"}},
                   {one},
                   "policy"},
        PolicyCase{"mapping_under_any", {any, demanded}, {any, one_is_two}, {two}},
        PolicyCase{"a_policy_twice",
                   {},
                   {},
                   {{"certificatePolicies", "1.2.3.1,1.2.3.1"}},
                   "extension_malformed"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace meshtrust::pki
