#include "run/imagined_rotation.h"

#include "istio/behaviour.h"
#include "mesh/rotation/proof.h"
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace meshtrust::run {
namespace {

using mesh::rotation::CurrentIssuer;
using mesh::rotation::plan_root;
using mesh::rotation::Proof;
using mesh::rotation::prove;
using mesh::rotation::read_bundle;
using mesh::rotation::RotationPlan;
using mesh::rotation::Strategy;
using mesh::rotation::TrustBundle;

/// 1, 2, 3, ...
class CountingRandom final : public base::Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) {
      byte = next_++;
    }
  }

 private:
  std::uint8_t next_ = 1;
};

/// 2026-11-21T10:00:00Z.
constexpr base::Instant kThen = base::Instant(base::Seconds(1'795'255'200));

std::string pem(const std::string& name) {
  return test::content_of(test::test_file("data/trust/" + name + ".pem"));
}

TrustBundle bundle_of(const std::string& chain, const std::string& root) {
  return read_bundle({.ca_cert = pem(chain), .cert_chain = pem(chain), .root_cert = pem(root)})
      .value();
}

/// Clusters with the intermediates of their names below the root of the test data.
std::vector<CurrentIssuer> issuers_of(const std::vector<std::string>& clusters) {
  std::vector<CurrentIssuer> issuers;
  for (const std::string& name : clusters) {
    issuers.push_back({.cluster = name,
                       .now = bundle_of(name, "root"),
                       .circumstances = {.version = istio::kNewestKnown}});
  }
  return issuers;
}

class ImaginedRotation : public ::testing::TestWithParam<Strategy> {};

TEST_P(ImaginedRotation, OfAMeshAsItWasSeenIsProvedWithoutAKey) {
  const std::vector<CurrentIssuer> issuers = issuers_of({"east", "west", "north"});
  CountingRandom random;
  const auto next = imagine_rotation(issuers, {.strategy = GetParam(), .at = kThen}, random);
  ASSERT_TRUE(next) << next.error().message;
  const RotationPlan plan = plan_root(*next);
  const Proof proof = prove({.plan = plan, .at = kThen});
  EXPECT_TRUE(proof.holds()) << proof.first->refusals.front();
  EXPECT_EQ(proof.classes, 1U);
  EXPECT_EQ(plan.tracks.front().now.signer().facts().subject,
            issuers.front().now.signer().facts().subject);
}

INSTANTIATE_TEST_SUITE_P(Rotation,
                         ImaginedRotation,
                         ::testing::Values(Strategy::kBridge,
                                           Strategy::kReverse,
                                           Strategy::kBundle),
                         [](const auto& one) { return std::string(name_of(one.param)); });

/// The company allows one CA below our root: that of a cluster.
TEST(ImaginedRotation, BelowACompanysRootTellsWhereNoRoomIsLeftForABridge) {
  std::vector<CurrentIssuer> issuers = issuers_of({"east", "west"});
  for (CurrentIssuer& issuer : issuers) {
    issuer.now = read_bundle({.ca_cert = pem(issuer.cluster),
                              .cert_chain = pem(issuer.cluster) + pem("root-by-company"),
                              .root_cert = pem("company")})
                     .value();
  }
  const auto proof_of = [&issuers](Strategy strategy) {
    CountingRandom random;
    const auto next = imagine_rotation(issuers, {.strategy = strategy, .at = kThen}, random);
    EXPECT_TRUE(next) << next.error().message;
    return prove({.plan = plan_root(*next), .at = kThen});
  };
  const Proof forward = proof_of(Strategy::kBridge);
  ASSERT_FALSE(forward.holds());
  EXPECT_EQ(forward.first->refusals.front(), "openssl: path length constraint exceeded");
  // What the company has certified is found first, and leads to nobody whom the new root trusts.
  const Proof reverse = proof_of(Strategy::kReverse);
  ASSERT_FALSE(reverse.holds());
  EXPECT_EQ(reverse.first->refusals.front(),
            "openssl: self-signed certificate in certificate chain");
  EXPECT_TRUE(proof_of(Strategy::kBundle).holds());
}

TEST(ImaginedRotation, IsRefusedWhereClustersTrustDifferentRoots) {
  std::vector<CurrentIssuer> issuers = issuers_of({"east", "west"});
  issuers.back().now = bundle_of("foreign", "other-root");
  CountingRandom random;
  const auto next = imagine_rotation(issuers, {.at = kThen}, random);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, base::Code::kRefused);
  EXPECT_EQ(next.error().message, "'east' and 'west' do not trust the same root");
}

}  // namespace
}  // namespace meshtrust::run
