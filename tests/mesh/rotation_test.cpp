#include "mesh/rotation/plan.h"
#include "mesh/rotation/proof.h"
#include "mesh/rotation/reach.h"
#include "tests/mesh/rotation_scene.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace meshtrust::mesh::rotation {
namespace {

using namespace testing;

constexpr istio::Version kOld{.major = 1, .minor = 29, .patch = 2};
constexpr istio::Version kNew{.major = 1, .minor = 30, .patch = 3};

/// "prepare: lists the next intermediate; signs with it", a line a stage.
std::string describe(const Track& track, const std::vector<std::string>& stages) {
  std::string text;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    text += stages[stage] + ':';
    for (const Update& update : track.updates[stage]) {
      text += fmt::format(" {} [{} in the chain, {} trusted]{};", update.why,
                          update.bundle.parsed.cert_chain.size(), update.bundle.parsed.roots.size(),
                          update.restarts ? ", restarts istiod" : "");
    }
    text += '\n';
  }
  return text;
}

std::string describe(const RotationPlan& plan) {
  return describe(plan.tracks.front(), plan.stages);
}

std::string describe(const Proof& proof) {
  if (!proof.first) return "holds";
  const PairFailure& first = *proof.first;
  return fmt::format("{}: {}: {} -> {}: {}", first.stage, name_of(first.meets), first.from,
                     first.to, first.refusals.front());
}

struct StrategyCase {
  std::string name;
  Strategy strategy;
  Circumstances circumstances;
  std::string plan;
};

void PrintTo(const StrategyCase& value, std::ostream* out) {
  *out << value.name;
}

class EveryStrategy : public ::testing::TestWithParam<StrategyCase> {};

TEST_P(EveryStrategy, GoesFromRootToRootInStepsThatIstiodTakesAndNoPairFails) {
  const StrategyCase& is = GetParam();
  const NextRoot next =
      rotation_of({"east", "west", "north"}, make_roots(), is.strategy, is.circumstances);
  const RotationPlan plan = plan_root(next);
  EXPECT_EQ(describe(plan), is.plan);
  const Proof proof = prove({.plan = plan, .at = kNow});
  EXPECT_EQ(describe(proof), "holds");
  EXPECT_EQ(proof.failing(), 0U);
  EXPECT_EQ(proof.classes, 1U);
  for (const StageProof& stage : proof.stages) {
    EXPECT_GT(stage.pairs, 9U) << stage.stage;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rotation,
    EveryStrategy,
    ::testing::Values(
        StrategyCase{"bridge",
                     Strategy::kBridge,
                     {.version = kNew},
                     "prepare: lists the next intermediate [3 in the chain, 1 trusted]; signs with "
                     "it [2 in the chain, 1 trusted];\n"
                     "activate: trusts the new root alone [2 in the chain, 1 trusted], restarts "
                     "istiod;\n"
                     "retire: drops the bridge [1 in the chain, 1 trusted];\n"},
        StrategyCase{"bridge_with_several_roots",
                     Strategy::kBridge,
                     {.version = kNew, .multi_root = true, .takes_pushes = true},
                     "prepare: lists the next intermediate [3 in the chain, 1 trusted]; signs with "
                     "it [2 in the chain, 1 trusted];\n"
                     "activate: trusts the new root too [2 in the chain, 2 trusted]; trusts the "
                     "new root alone [2 in the chain, 1 trusted];\n"
                     "retire: drops the bridge [1 in the chain, 1 trusted];\n"},
        StrategyCase{"bridge_with_clients_that_have_certificates",
                     Strategy::kBridge,
                     {.version = kOld, .multi_root = true, .has_certificate_clients = true},
                     "prepare: lists the next intermediate [3 in the chain, 1 trusted]; signs with "
                     "it [2 in the chain, 1 trusted];\n"
                     "activate: trusts the new root too [2 in the chain, 2 trusted]; trusts the "
                     "new root alone [2 in the chain, 1 trusted], restarts istiod;\n"
                     "retire: drops the bridge [1 in the chain, 1 trusted];\n"},
        StrategyCase{"reverse",
                     Strategy::kReverse,
                     {.version = kNew},
                     "prepare: lists the bridge [2 in the chain, 1 trusted];\n"
                     "activate: trusts the new root alone [2 in the chain, 1 trusted], restarts "
                     "istiod;\n"
                     "retire: lists the next intermediate [3 in the chain, 1 trusted]; signs with "
                     "it [1 in the chain, 1 trusted];\n"},
        StrategyCase{"bundle",
                     Strategy::kBundle,
                     {.version = kNew},
                     "prepare: trusts the new root too [1 in the chain, 2 trusted], restarts "
                     "istiod;\n"
                     "activate: lists the next intermediate [2 in the chain, 2 trusted]; signs "
                     "with it [1 in the chain, 2 trusted];\n"
                     "retire: trusts the new root alone [1 in the chain, 1 trusted], restarts "
                     "istiod;\n"},
        StrategyCase{"bundle_with_several_roots_and_clients_that_have_certificates",
                     Strategy::kBundle,
                     {.version = kNew, .multi_root = true, .has_certificate_clients = true},
                     "prepare: trusts the new root too [1 in the chain, 2 trusted], restarts "
                     "istiod;\n"
                     "activate: lists the next intermediate [2 in the chain, 2 trusted]; signs "
                     "with it [1 in the chain, 2 trusted];\n"
                     "retire: trusts the new root alone [1 in the chain, 1 trusted], restarts "
                     "istiod;\n"}),
    [](const auto& one) { return one.param.name; });

TEST(IntermediatePlan, MovesToAnotherKeyUnderTheSameRootAndNoPairFails) {
  const Roots roots = make_roots();
  std::vector<NextIssuer> issuers;
  for (const std::string name : {"east", "west"}) {
    issuers.push_back(
        {.cluster = name,
         .now = first_bundle(make_intermediate(name + " one", roots.old_root).certificate,
                             roots.old_root.certificate),
         .circumstances = {.version = kNew},
         .chain = {make_intermediate(name + " two", roots.old_root).certificate}});
  }
  const RotationPlan plan = plan_intermediates(issuers);
  EXPECT_EQ(describe(plan),
            "renew: lists the next intermediate [2 in the chain, 1 trusted]; signs with it [1 in "
            "the chain, 1 trusted];\n");
  EXPECT_EQ(describe(prove({.plan = plan, .at = kNow})), "holds");
}

/// One rule or gate less, and what the proof has to find.
struct Mutation {
  std::string name;
  Strategy strategy;
  Circumstances circumstances;
  std::function<void(RotationPlan&)> breaks = [](RotationPlan&) {};
  std::string found;
  bool waits_between_stages = true;
  bool waits_between_updates = true;
  RootsWanted roots = {};
};

void PrintTo(const Mutation& value, std::ostream* out) {
  *out << value.name;
}

void for_each_track(RotationPlan& plan, const std::function<void(Track&)>& change) {
  std::ranges::for_each(plan.tracks, change);
}

/// Leaves an update of a stage out.
std::function<void(RotationPlan&)> without(std::size_t stage, std::size_t update) {
  return [=](RotationPlan& plan) {
    for_each_track(plan, [=](Track& track) {
      auto& updates = track.updates[stage];
      updates.erase(updates.begin() + static_cast<std::ptrdiff_t>(update));
    });
  };
}

std::function<void(RotationPlan&)> without_restart(std::size_t stage) {
  return [=](RotationPlan& plan) {
    for_each_track(plan, [=](Track& track) { track.updates[stage].back().restarts = false; });
  };
}

std::function<void(RotationPlan&)> skipping(std::string stage) {
  return [stage = std::move(stage)](RotationPlan& plan) {
    plan = without_stage(std::move(plan), stage);
  };
}

/// In all chains of a stage.
std::function<void(RotationPlan&)> with_chains(
    std::size_t stage,
    std::function<std::vector<pki::Certificate>(const TrustBundle& bundle)> chain) {
  return [stage, chain = std::move(chain)](RotationPlan& plan) {
    for_each_track(plan, [&](Track& track) {
      for (Update& update : track.updates[stage]) {
        update.bundle = with_chain(update.bundle, chain(update.bundle));
      }
    });
  };
}

class BrokenPlan : public ::testing::TestWithParam<Mutation> {};

TEST_P(BrokenPlan, IsFoundOut) {
  const Mutation& is = GetParam();
  RotationPlan plan =
      plan_root(rotation_of({"east", "west"}, make_roots(is.roots), is.strategy, is.circumstances));
  is.breaks(plan);
  const Proof proof = prove({.plan = plan,
                             .at = kNow,
                             .waits_between_stages = is.waits_between_stages,
                             .waits_between_updates = is.waits_between_updates});
  EXPECT_EQ(describe(proof), is.found);
  EXPECT_GT(proof.failing(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Rotation,
    BrokenPlan,
    ::testing::Values(
        Mutation{.name = "no_gates",
                 .strategy = Strategy::kBridge,
                 .circumstances = {.version = kNew},
                 .found = "prepare: workloads: east -> west: openssl: self-signed certificate in "
                          "certificate chain",
                 .waits_between_stages = false},
        Mutation{.name = "bundle_without_gates",
                 .strategy = Strategy::kBundle,
                 .circumstances = {.version = kNew},
                 .found = "prepare: workloads: east -> west: openssl: self-signed certificate in "
                          "certificate chain",
                 .waits_between_stages = false},
        Mutation{.name = "reverse_without_gates",
                 .strategy = Strategy::kReverse,
                 .circumstances = {.version = kNew},
                 .found = "prepare: workloads: east -> west: openssl: self-signed certificate in "
                          "certificate chain",
                 .waits_between_stages = false},
        Mutation{.name = "prepare_skipped",
                 .strategy = Strategy::kBridge,
                 .circumstances = {.version = kNew},
                 .breaks = skipping("prepare"),
                 .found = "activate: workloads: east -> west: openssl: self-signed certificate in "
                          "certificate chain"},
        Mutation{.name = "activate_skipped",
                 .strategy = Strategy::kBridge,
                 .circumstances = {.version = kNew},
                 .breaks = skipping("activate"),
                 .found = "retire: none: east -> east: istiod: passes over it until it is "
                          "restarted, and the plan does not"},
        Mutation{.name = "reverse_prepare_skipped",
                 .strategy = Strategy::kReverse,
                 .circumstances = {.version = kNew},
                 .breaks = skipping("prepare"),
                 .found = "activate: workloads: east -> west: openssl: self-signed certificate in "
                          "certificate chain"},
        Mutation{.name = "bundle_prepare_skipped",
                 .strategy = Strategy::kBundle,
                 .circumstances = {.version = kNew},
                 .breaks = skipping("prepare"),
                 .found = "activate: none: east -> east: istiod: passes over it until it is "
                          "restarted, and the plan does not"},
        Mutation{.name = "bundle_activate_skipped",
                 .strategy = Strategy::kBundle,
                 .circumstances = {.version = kNew},
                 .breaks = skipping("activate"),
                 .found = "retire: workloads: east -> west: openssl: self-signed certificate in "
                          "certificate chain"},
        Mutation{.name = "not_announced",
                 .strategy = Strategy::kBridge,
                 .circumstances = {.version = kNew},
                 .breaks = without(0, 0),
                 .found = "prepare: workloads: east -> west: openssl: no certificate of "
                          "'O=Shop,CN=east two' with the key that signs is shown or trusted"},
        Mutation{.name = "bundle_not_announced",
                 .strategy = Strategy::kBundle,
                 .circumstances = {.version = kNew},
                 .breaks = without(1, 0),
                 .found = "activate: workloads: east -> west: openssl: no certificate of "
                          "'O=Shop,CN=east two' with the key that signs is shown or trusted"},
        Mutation{.name = "reverse_not_announced",
                 .strategy = Strategy::kReverse,
                 .circumstances = {.version = kNew},
                 .breaks = without(2, 0),
                 .found = "retire: workloads: east -> west: openssl: no certificate of "
                          "'O=Shop,CN=east two' with the key that signs is shown or trusted"},
        Mutation{.name = "announced_and_not_waited_for",
                 .strategy = Strategy::kBridge,
                 .circumstances = {.version = kNew},
                 .found = "prepare: workloads: east -> west: openssl: no certificate of "
                          "'O=Shop,CN=east two' with the key that signs is shown or trusted",
                 .waits_between_updates = false},
        Mutation{.name = "not_restarted",
                 .strategy = Strategy::kBridge,
                 .circumstances = {.version = kNew},
                 .breaks = without_restart(1),
                 .found = "activate: none: east -> east: istiod: passes over it until it is "
                          "restarted, and the plan does not"},
        Mutation{.name = "bundle_not_restarted",
                 .strategy = Strategy::kBundle,
                 .circumstances = {.version = kNew},
                 .breaks = without_restart(0),
                 .found = "prepare: none: east -> east: istiod: passes over it until it is "
                          "restarted, and the plan does not"},
        Mutation{
            .name = "client_pool_not_refreshed",
            .strategy = Strategy::kBridge,
            .circumstances = {.version = kNew, .multi_root = true, .has_certificate_clients = true},
            .breaks = without_restart(1),
            .found = "retire: certificate client: east -> east: openssl: self-signed certificate "
                     "in certificate chain"},
        Mutation{.name = "both_roots_in_between_left_out",
                 .strategy = Strategy::kBridge,
                 .circumstances = {.version = kNew, .multi_root = true},
                 .breaks = without(1, 0),
                 .found = "activate: none: east -> east: istiod: passes over it until it is "
                          "restarted, and the plan does not"},
        Mutation{.name = "bridge_behind_the_self_signed_root",
                 .strategy = Strategy::kBridge,
                 .circumstances = {.version = kNew},
                 .breaks =
                     [](RotationPlan& plan) {
                       const pki::Certificate root =
                           plan.tracks[0].updates[2].back().bundle.parsed.roots[0];
                       with_chains(0, [root](const TrustBundle& bundle) {
                         std::vector<pki::Certificate> chain = bundle.parsed.cert_chain;
                         chain.insert(chain.end() - 1, root);
                         return chain;
                       })(plan);
                     },
                 .found = "prepare: workloads: east -> west: openssl: self-signed certificate in "
                          "certificate chain"},
        Mutation{
            .name = "bridge_left_out",
            .strategy = Strategy::kBridge,
            .circumstances = {.version = kNew},
            .breaks = with_chains(0,
                                  [](const TrustBundle& bundle) {
                                    return std::vector<pki::Certificate>{bundle.signer()};
                                  }),
            .found = "prepare: none: east -> east: istiod: refuses to start with it: ca-cert.pem "
                     "under root-cert.pem: istiod (go) refuses it: leaf 'O=Shop,CN=east two': "
                     "no_path, found no issuer 'O=Shop,OU=root two,CN=Shop Mesh Root', wanted one "
                     "in the chain or the roots (RFC 5280 6.1)"},
        Mutation{.name = "bridge_too_short_lived",
                 .strategy = Strategy::kBridge,
                 .circumstances = {.version = kNew},
                 .found = "activate: workloads: east -> west: openssl: certificate has expired",
                 .roots = {.bridge_until = kNow + std::chrono::hours(13)}},
        Mutation{
            .name = "old_root_with_path_length_one",
            .strategy = Strategy::kBridge,
            .circumstances = {.version = kNew},
            .found = "prepare: workloads: east -> west: openssl: path length constraint exceeded",
            .roots = {.old_root_basic_constraints = "critical,CA:TRUE,pathlen:1"}},
        Mutation{
            .name = "bridge_with_path_length_zero",
            .strategy = Strategy::kBridge,
            .circumstances = {.version = kNew},
            .found = "prepare: workloads: east -> west: openssl: path length constraint exceeded",
            .roots = {.bridge_basic_constraints = "critical,CA:TRUE,pathlen:0"}},
        Mutation{
            .name = "one_name_and_no_key_identifiers",
            .strategy = Strategy::kBridge,
            .circumstances = {.version = kNew},
            .found = "prepare: workloads: east -> west: openssl: certificate signature failure",
            .roots = {.new_root_has_old_name = true, .has_key_identifiers = false}},
        Mutation{
            .name = "old_root_ends_meanwhile",
            .strategy = Strategy::kBridge,
            .circumstances = {.version = kNew},
            .found = "prepare: none: east -> east: istiod: refuses to start with it: ca-cert.pem "
                     "under root-cert.pem: istiod (go) refuses it: anchor 'O=Shop,OU=root "
                     "one,CN=Shop Mesh Root': expired, found not after 2030-01-01T10:00:00Z, "
                     "wanted at or after 2030-01-01T12:23:28Z (RFC 5280 6.1.3 (a)(2))",
            .roots = {.old_root_until = kNow + std::chrono::hours(10)}}),
    [](const auto& one) { return one.param.name; });

TEST(RotationProof, JudgesClustersOfOneShapeOnceAndTellsTheOneThatDiffers) {
  std::vector<std::string> names;
  for (int index = 0; index < 300; ++index) {
    names.push_back(fmt::format("c{}", index));
  }
  RotationPlan plan =
      plan_root(rotation_of(names, make_roots(), Strategy::kBridge, {.version = kNew}));
  EXPECT_EQ(prove({.plan = plan, .at = kNow}).classes, 1U);
  plan.tracks[200].updates[0].erase(plan.tracks[200].updates[0].begin());
  const Proof proof = prove({.plan = plan, .at = kNow});
  EXPECT_EQ(proof.classes, 2U);
  EXPECT_EQ(describe(proof),
            "prepare: workloads: c200 -> c0: openssl: no certificate of 'O=Shop,CN=c200 two' with "
            "the key that signs is shown or trusted");
  EXPECT_EQ(proof.first->from, "c200");
}

}  // namespace
}  // namespace meshtrust::mesh::rotation
