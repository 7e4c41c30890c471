// What a proof ends with: it says no more than was looked at.
#include "cli/proof.h"

#include "profiles/load.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace meshtrust::cli {
namespace {

using State = mesh::SampleWay::State;

profiles::Mesh two_clusters() {
  return profiles::load_mesh("mesh.yaml",
                             "apiVersion: meshtrust/v1\n"
                             "kind: Mesh\n"
                             "metadata: {name: shop}\n"
                             "spec:\n"
                             "  clusters:\n"
                             "  - {name: east, network: east}\n"
                             "  - {name: west, network: west}\n")
      .value();
}

/// All that was looked at, as deeply as can be, is as it should be.
Proof sound() {
  return {.answer = {},
          .pairs = {{.from = "east",
                     .to = "west",
                     .verdicts = {{.judge = "openssl", .accepted = true, .reason = {}}}}},
          .conditions = {{.expectation = {.cluster = "east",
                                          .id = "east/control-plane",
                                          .condition = "control-plane-ready",
                                          .namespace_name = "istio-system",
                                          .revision = {}},
                          .question = "is its control plane ready?",
                          .verdict = {.state = mesh::Verdict::State::kYes}}},
          .level = mesh::Level::kDeep};
}

/// Samples that came to this.
Traffic tried(const std::vector<State>& states) {
  mesh::SampleVerdict verdict;
  for (const State state : states) {
    verdict.ways.push_back({.from = "east", .to = "west", .state = state});
  }
  return traffic_of(verdict);
}

struct EndCase {
  const char* name;
  void (*change)(Proof& proof);
  std::string text;       ///< the last line
  const char* looked_at;  ///< the JSON of that name
};

std::ostream& operator<<(std::ostream& out, const EndCase& one) {
  return out << one.name;
}

constexpr const char* kDeep =
    R"("clusters":["east","west"],"parts":["trust","installation","istiods"])";
const std::string kAll = "no fault found in trust, what is installed and what istiods see";

const EndCase kCases[] = {
    {"WithoutSamples", [](Proof&) {}, kAll + "; traffic was not tried", R"({"tried":false})"},
    {"WithAnswersEverywhere",
     [](Proof& proof) {
       proof.traffic = tried({State::kAnswered, State::kAnswered});
     },
     kAll + "; traffic took 2 of 2 ways", R"({"proved":2,"tried":true,"untried":0,"ways":2})"},
    {"WithSilence",
     [](Proof& proof) {
       proof.traffic = tried({State::kSilent, State::kAnswered});
     },
     kAll + "; traffic took 1 of 2 ways", R"({"proved":1,"tried":true,"untried":0,"ways":2})"},
    {"WithAWayThatCouldNotBeTried",
     [](Proof& proof) {
       proof.traffic = tried({State::kAnswered, State::kNotProved});
     },
     kAll + "; traffic took 1 of 2 ways, 1 could not be tried",
     R"({"proved":1,"tried":true,"untried":1,"ways":2})"},
    {"WithPodsThatDoNotRun",
     [](Proof& proof) {
       proof.traffic = tried({State::kNotProved, State::kNotProved});
     },
     kAll + "; traffic could not be tried", R"({"proved":0,"tried":false,"untried":2,"ways":2})"},
};

class EndOfAProof : public ::testing::TestWithParam<EndCase> {};

TEST_P(EndOfAProof, SaysHowFarTrafficWasTried) {
  const profiles::Mesh mesh = two_clusters();
  Proof proof = sound();
  GetParam().change(proof);
  const std::string text = render_proof(mesh, {}, proof, {});
  EXPECT_EQ(text.substr(text.rfind('\n', text.size() - 2) + 1),
            "1 of 1 condition hold: " + GetParam().text + "\n");
  EXPECT_EQ(proof_to_json(mesh, {}, proof, {})["lookedAt"].dump(),
            std::string("{") + kDeep + R"(,"traffic":)" + GetParam().looked_at + "}");
}

INSTANTIATE_TEST_SUITE_P(Cases, EndOfAProof, ::testing::ValuesIn(kCases), [](const auto& one) {
  return std::string(one.param.name);
});

/// The last line and the parts that were looked at.
std::pair<std::string, std::string> end_of(const Proof& proof) {
  const profiles::Mesh mesh = two_clusters();
  const std::string text = render_proof(mesh, {}, proof, {});
  return {text.substr(text.rfind('\n', text.size() - 2) + 1),
          proof_to_json(mesh, {}, proof, {})["lookedAt"]["parts"].dump()};
}

TEST(ConclusionOfAProof, SaysThatIstiodsWereNotAsked) {
  Proof proof = sound();
  proof.level = mesh::Level::kMesh;
  const auto [text, parts] = end_of(proof);
  EXPECT_EQ(text,
            "1 of 1 condition hold: no fault found in trust and what is installed; what istiods "
            "see was not asked; traffic was not tried\n");
  EXPECT_EQ(parts, R"(["trust","installation"])");
}

/// An observation of two clusters of which so many pods told, one was silent and one not asked.
mesh::Observation told(std::size_t read) {
  mesh::WorkloadFacts facts{.pods = read + 2, .chosen = {}};
  for (std::size_t i = 0; i <= read; ++i) {
    mesh::WorkloadPod& pod = facts.chosen.emplace_back();
    if (i < read) pod.credentials = std::vector<istio::Credential>{};
  }
  mesh::Observation seen;
  seen.clusters.resize(2);
  seen.clusters[0].name = "east";
  seen.clusters[0].live.workloads = mesh::Observed<mesh::WorkloadFacts>(facts);
  seen.clusters[1].name = "west";
  seen.clusters[1].live.workloads = mesh::Observed<mesh::WorkloadFacts>::unknown(
      {.code = base::Code::kPermission, .message = "not permitted"});
  return seen;
}

TEST(ConclusionOfAProof, SaysOfHowManyWorkloadsItSpeaks) {
  const profiles::Mesh mesh = two_clusters();
  const Proof proof = sound();
  const auto last_line = [&](const mesh::Observation& seen) {
    const std::string text = render_proof(mesh, seen, proof, {});
    return text.substr(text.rfind('\n', text.size() - 2) + 1);
  };
  EXPECT_EQ(last_line(told(3)),
            "1 of 1 condition hold: no fault found in trust, what is installed, what istiods see "
            "and what 3 of 5 workloads present; traffic was not tried\n");
  EXPECT_EQ(last_line(told(0)), "1 of 1 condition hold: " + kAll +
                                    "; traffic was not tried; what workloads present was not "
                                    "seen\n");
  const base::Json json = proof_to_json(mesh, told(3), proof, {});
  EXPECT_EQ(json["lookedAt"]["parts"].dump(), R"(["trust","installation","istiods","workloads"])");
  EXPECT_EQ(json["workloads"].dump(),
            R"([{"cluster":"east","issuers":[],"lookedAt":3,"pods":5,"roots":[],"unread":1},)"
            R"({"cluster":"west","unknown":"not permitted"}])");
  EXPECT_FALSE(proof_to_json(mesh, {}, proof, {}).contains("workloads"));
}

TEST(ConclusionOfAProof, SaysOfTrustAloneWhatWillBe) {
  Proof proof = sound();
  proof.conditions.clear();
  const auto [text, parts] = end_of(proof);
  EXPECT_TRUE(text.ends_with(": every workload will trust every other\n")) << text;
  EXPECT_EQ(parts, R"(["trust"])");
}

TEST(ConclusionOfAProof, NamesTheClustersToWhichItWasNarrowed) {
  Proof proof = sound();
  proof.keep({"east"});
  EXPECT_EQ(end_of(proof).first,
            "1 of 1 condition hold: no fault found in trust, what is installed and what istiods "
            "see of east; traffic was not tried\n");
  EXPECT_EQ(proof_to_json(two_clusters(), {}, proof, {})["lookedAt"]["clusters"].dump(),
            R"(["east"])");
}

TEST(ConclusionOfAProof, CallsNothingBrokenThatCouldNotBeSeen) {
  Proof proof = sound();
  proof.answer.unknowns.push_back({.message = "east does not answer"});
  proof.pairs.push_back({.from = "east", .to = "west", .problem = "unknown", .is_unknown = true});
  EXPECT_EQ(end_of(proof).first,
            "1 of 1 condition hold: not enough is known to say whether the mesh is what it should "
            "be\n");
}

TEST(ConclusionOfAProof, PraisesNothingThatIsNotWhatItShouldBe) {
  Proof proof = sound();
  proof.answer.findings.push_back(
      {.code = "missing", .severity = mesh::Severity::kWarning, .cluster = "east", .message = {}});
  EXPECT_EQ(end_of(proof).first,
            "1 of 1 condition hold: no further fault found in trust, what is installed and what "
            "istiods see; traffic was not tried\n");
  proof.answer.findings.front().severity = mesh::Severity::kCritical;
  EXPECT_EQ(end_of(proof).first, "1 of 1 condition hold: the mesh is not what it should be\n");
}

}  // namespace
}  // namespace meshtrust::cli
