// Takes a mesh apart, a part at a time: whatever `plan` would mend, `status` and `verify` find.
#include "mesh/drift.h"

#include "mesh/expectation.h"
#include "tests/mesh/mesh_builder.h"
#include "tests/support/found.h"
#include "tests/support/golden.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using ::testing::IsEmpty;
using ::testing::Not;

void append(std::vector<Finding> more, Answer& answer) {
  std::move(more.begin(), more.end(), std::back_inserter(answer.findings));
}

/// What somebody who looks is told of the trust of a scene.
Answer found_in_trust(const Scene& scene) {
  Answer answer = ask_all(trust_checks(), {.mesh = scene.mesh,
                                           .observation = scene.observation,
                                           .at = scene.at,
                                           .purpose = Purpose::kProve});
  append(drift_of_trust(scene.mesh, scene.observation, scene.at), answer);
  return answer;
}

/// And of all of it.
Answer found_in_mesh(const Scene& scene) {
  const BaseFiles files;
  Answer answer = found_in_trust(scene);
  append(ask_all(mesh_checks(), {.mesh = scene.mesh,
                                 .observation = scene.observation,
                                 .at = scene.at,
                                 .purpose = Purpose::kProve,
                                 .files = &files})
             .findings,
         answer);
  append(drift(scene.mesh, scene.observation, scene.at, files), answer);
  return answer;
}

std::size_t count_about(const Step& step, const Answer& answer) {
  const std::string message = fmt::format("{}: {}", step.title, step.reason);
  return static_cast<std::size_t>(
      std::ranges::count_if(answer.findings, [&](const Finding& finding) {
        return finding.cluster == step.cluster && finding.message == message;
      }));
}

bool is_anything_told_of(const std::string& cluster, const Answer& answer) {
  return std::ranges::any_of(answer.findings, [&cluster](const Finding& finding) {
    return finding.severity != Severity::kNote && finding.cluster == cluster;
  });
}

/// Every step of `plan` is a finding, of its own or of what a check tells of its cluster.
void expect_told(const Plan& plan, const Answer& answer) {
  for (const Step& step : plan.steps) {
    if (step.change == Change::kWait) continue;
    if (step.lack == Lack::kTold) {
      EXPECT_TRUE(step.cluster.empty() || is_anything_told_of(step.cluster, answer)) << step.id;
    } else {
      EXPECT_EQ(count_about(step, answer), 1U) << step.id;
    }
  }
}

void expect_nothing_twice(const Answer& answer) {
  std::set<std::pair<std::string, std::string>> told;
  for (const Finding& finding : answer.findings) {
    EXPECT_TRUE(told.emplace(finding.cluster, finding.message).second) << finding.message;
  }
}

/// One thing that is lost of a trust that was whole: a primary east and a remote far.
struct Loss {
  const char* name;
  std::function<void(Scene&)> lose;
};

std::ostream& operator<<(std::ostream& out, const Loss& loss) {
  return out << loss.name;
}

Scene whole_trust() {
  Scene scene = applied_scene({"east", "west"});
  scene.mesh = shop({"east", "west"}, "",
                    "  - {name: far, network: far, role: remote, controlPlane: [east]}\n");
  ClusterObservation far = bare("far");
  far.system_namespace = NamespaceFacts{.network = "far",
                                        .control_planes = "east",
                                        .created_by_meshtrust = true,
                                        .mesh = "shop",
                                        .root = root_mark("root")};
  scene.observation.clusters.push_back(std::move(far));
  return scene;
}

template <class Facts>
void change(Observed<Facts>& observed, const std::function<void(Facts&)>& how) {
  Facts facts = test::found_in(observed);
  how(facts);
  observed = facts;
}

void change_namespace(Scene& scene,
                      const std::string& cluster,
                      const std::function<void(NamespaceFacts&)>& how) {
  change(scene.cluster(cluster).system_namespace, how);
}

void change_twin(Scene& scene, const std::function<void(TwinFacts&)>& how) {
  change(scene.cluster("west").twin, how);
}

const Loss kLosses[] = {
    {"network-label",
     [](Scene& s) { change_namespace(s, "west", [](auto& facts) { facts.network.reset(); }); }},
    {"network-label-of-another",
     [](Scene& s) { change_namespace(s, "west", [](auto& facts) { facts.network = "other"; }); }},
    {"annotation-of-a-remote",
     [](Scene& s) {
       change_namespace(s, "far", [](auto& facts) { facts.control_planes.reset(); });
     }},
    {"label-and-annotation-of-a-remote",
     [](Scene& s) {
       change_namespace(s, "far", [](auto& facts) {
         facts.network.reset();
         facts.control_planes.reset();
       });
     }},
    {"mark-of-the-namespace",
     [](Scene& s) { change_namespace(s, "west", [](auto& facts) { facts.root.clear(); }); }},
    {"namespace-of-a-remote", [](Scene& s) { s.cluster("far").system_namespace = Absent{}; }},
    {"cacerts", [](Scene& s) { s.cluster("west").cacerts = Absent{}; }},
    {"all-of-a-cluster", [](Scene& s) { s.cluster("west") = bare("west"); }},
    {"twin", [](Scene& s) { s.cluster("west").twin = Absent{}; }},
    {"twin-of-another-ca",
     [](Scene& s) { s.cluster("west").twin = applied(s.mesh, "west", "north").twin; }},
    {"twin-of-another-cluster",
     [](Scene& s) { change_twin(s, [](TwinFacts& facts) { facts.data["cluster"] = "other"; }); }},
    {"network-in-the-twin",
     [](Scene& s) { change_twin(s, [](TwinFacts& facts) { facts.data.erase("network"); }); }},
    {"mark-of-the-twin",
     [](Scene& s) { change_twin(s, [](TwinFacts& facts) { facts.root.clear(); }); }},
    {"arrival-in-the-ledger",
     [](Scene& s) {
       StoreFacts facts = s.facts();
       facts.issued.back().state = "pushing";
       s.observation.store = facts;
     }},
    {"list-of-the-root",
     [](Scene& s) {
       s.mesh.trust.crl = profiles::CrlProfile{.refresh = "nightly job", .place = {}};
     }},
};

class LossOfTrust : public ::testing::TestWithParam<Loss> {};

TEST_P(LossOfTrust, IsFoundWhereverThePlanWouldMendIt) {
  Scene scene = whole_trust();
  EXPECT_EQ(describe(found_in_trust(scene)), "") << "the scene is not sound to begin with";
  EXPECT_THAT(plan(scene).plan.steps, IsEmpty());
  GetParam().lose(scene);
  const Answer answer = found_in_trust(scene);
  expect_told(plan(scene).plan, answer);
  expect_nothing_twice(answer);
  test::expect_golden(std::string("golden/drift/") + GetParam().name + ".txt", describe(answer));
}

INSTANTIATE_TEST_SUITE_P(Losses, LossOfTrust, ::testing::ValuesIn(kLosses), [](const auto& one) {
  std::string name = one.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(DriftOfTrust, SaysNothingOfWhatMayNotBeRead) {
  Scene scene = whole_trust();
  const base::Error forbidden{.code = base::Code::kPermission, .message = "not permitted"};
  scene.cluster("west").system_namespace = Observed<NamespaceFacts>::unknown(forbidden);
  scene.cluster("west").cacerts = Observed<CacertsFacts>::unknown(forbidden);
  scene.cluster("east").twin = Observed<TwinFacts>::unknown(forbidden);
  EXPECT_THAT(drift_of_trust(scene.mesh, scene.observation, scene.at), IsEmpty());
}

TEST(DriftOfTrust, IsNotMendedHereWhereItIsOnlyObserved) {
  Scene scene = whole_trust();
  scene.mesh = shop({"east", "west"}, "mode: observed");
  change_namespace(scene, "west", [](auto& facts) { facts.network.reset(); });
  EXPECT_THAT(drift_of_trust(scene.mesh, scene.observation, scene.at), IsEmpty());
}

/// The objects of `all` but one.
Objects without(const Objects& all, std::string_view resource, std::size_t place) {
  Objects left;
  for (const auto& [name, list] : all.all()) {
    const Objects::List* found = list.found(Unknown::kTold);
    if (name != resource || found == nullptr) {
      left.add(name, list);
      continue;
    }
    Objects::List some = *found;
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(place));
    left.add(name, std::move(some));
  }
  return left;
}

/// Whatever of `scene` is gone, the plan of it is told.
void expect_plan_told(const Scene& scene, const std::string& gone) {
  SCOPED_TRACE(gone);
  const Planned planned = plan_whole(scene);
  const Answer answer = found_in_mesh(scene);
  EXPECT_THAT(answer.findings, Not(IsEmpty()));
  expect_told(planned.plan, answer);
  expect_nothing_twice(answer);
}

TEST(WholeMesh, MissesNoObjectInSilence) {
  const Scene whole = whole_mesh(root_mark("root"));
  EXPECT_EQ(describe(found_in_mesh(whole)), "");
  std::size_t taken = 0;
  for (const ClusterObservation& cluster : whole.observation.clusters) {
    for (const auto& [resource, list] : cluster.live.objects.all()) {
      const Objects::List* found = list.found(Unknown::kTold);
      for (std::size_t i = 0; found != nullptr && i < found->size(); ++i, ++taken) {
        Scene scene = whole;
        scene.cluster(cluster.name).live.objects = without(cluster.live.objects, resource, i);
        expect_plan_told(scene, fmt::format("{} {} of {}", resource, i, cluster.name));
      }
    }
  }
  EXPECT_GT(taken, 10U);
}

TEST(WholeMesh, MissesNoSecretInSilence) {
  const Scene whole = whole_mesh(root_mark("root"));
  for (const std::string name : {"east", "west"}) {
    Scene scene = whole;
    scene.cluster(name).live.remote_secrets = std::vector<RemoteSecretFacts>{};
    expect_plan_told(scene, "remote secret of " + name);
    scene = whole;
    scene.cluster(name).live.tokens = std::vector<TokenSecretFacts>{};
    expect_plan_told(scene, "token of " + name);
    scene = whole;
    scene.cluster(name).cacerts = Absent{};
    expect_plan_told(scene, "cacerts of " + name);
  }
}

TEST(WholeMesh, MissesNoMarkInSilence) {
  Scene scene = whole_mesh({});
  expect_plan_told(scene, "marks of the root");
}

TEST(WholeMesh, HasNothingTooMuchInSilence) {
  Scene scene = whole_mesh(root_mark("root"));
  auto secrets = test::found_in(scene.cluster("east").live.remote_secrets);
  secrets.push_back(secrets.front());
  secrets.back().name = "istio-remote-secret-gone";
  secrets.back().clusters.front().cluster = "gone";
  scene.cluster("east").live.remote_secrets = secrets;
  expect_plan_told(scene, "cluster that left");
}

TEST(WholeMesh, OfWhichTrustIsObservedLosesNoLabelInSilence) {
  Scene scene = whole_mesh(root_mark("root"));
  scene.mesh.trust.mode = profiles::TrustMode::kObserved;
  scene.observation.store = Absent{};
  EXPECT_EQ(describe(found_in_mesh(scene)), "");
  change_namespace(scene, "west", [](auto& facts) { facts.network.reset(); });
  expect_plan_told(scene, "network label");
  EXPECT_EQ(describe(found_in_mesh(scene)),
            "critical west [missing]: namespace istio-system: it has no network label\n"
            "  seen: + label topology.istio.io/network: network2\n"
            "  hint: run 'meshtrust apply'\n");
}

}  // namespace
}  // namespace meshtrust::mesh
