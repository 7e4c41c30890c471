// Nothing is ever planned over an unknown, whichever fact it is and whatever the reason.

#include "mesh/plan.h"
#include "tests/mesh/trust_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;

/// One fact of an observation, made unknown.
struct Field {
  const char* name;
  std::function<void(Scene&, const base::Error&)> forget;
};

template <class T>
Field cluster_field(const char* name, Observed<T> ClusterObservation::*member) {
  return {name, [member](Scene& scene, const base::Error& why) {
            scene.cluster("west").*member = Observed<T>::unknown(why);
          }};
}

/// Every fact that trust is planned by. The structured binding does not compile once a member is
/// added, so that none is forgotten here; what is live beyond trust has tests with `plan_mesh`.
std::vector<Field> all_fields() {
  ClusterObservation whole;
  [[maybe_unused]] auto& [name, context, server, system_namespace, cacerts, twin, istiod, other_ca,
                          workload_roots, trust_domain, live] = whole;
  return {
      {"store",
       [](Scene& scene, const base::Error& why) {
         scene.observation.store = Observed<StoreFacts>::unknown(why);
       }},
      cluster_field("server", &ClusterObservation::server),
      cluster_field("systemNamespace", &ClusterObservation::system_namespace),
      cluster_field("cacerts", &ClusterObservation::cacerts),
      cluster_field("twin", &ClusterObservation::twin),
      cluster_field("istiod", &ClusterObservation::istiod),
      cluster_field("otherCA", &ClusterObservation::other_ca),
      cluster_field("workloadRoots", &ClusterObservation::workload_roots),
      cluster_field("trustDomain", &ClusterObservation::trust_domain),
  };
}

const base::Error kReasons[] = {
    {.code = base::Code::kPermission, .message = "not permitted (403)"},
    {.code = base::Code::kUnavailable, .message = "etcd is gone (500)"},
    {.code = base::Code::kUnavailable, .message = "the connection was cut"},
    {.code = base::Code::kInternal, .message = "it was not looked at"},
};

class Unknown : public ::testing::TestWithParam<std::tuple<Field, base::Error>> {
 protected:
  void expect_refused(Scene scene) {
    const auto& [field, why] = GetParam();
    field.forget(scene, why);
    const Planned planned = plan(scene);
    EXPECT_TRUE(planned.is_refused()) << field.name << ": " << why.message;
    EXPECT_TRUE(planned.plan.is_empty()) << field.name << ": " << why.message;
    EXPECT_THAT(describe(planned.answer), ::testing::HasSubstr(why.message)) << field.name;
  }
};

TEST_P(Unknown, RefusesAPlanForANewMesh) {
  expect_refused(fresh_scene({"east", "west"}));
}

TEST_P(Unknown, RefusesAPlanForAMeshThatNeedsNothing) {
  expect_refused(applied_scene({"east", "west"}));
}

TEST_P(Unknown, RefusesAPlanForAThirdCluster) {
  Scene scene = applied_scene({"east", "west", "north"});
  scene.cluster("north") = bare("north");
  expect_refused(scene);
}

INSTANTIATE_TEST_SUITE_P(EveryField,
                         Unknown,
                         ::testing::Combine(::testing::ValuesIn(all_fields()),
                                            ::testing::ValuesIn(kReasons)));

TEST(UnknownRemote, RefusesAPlanWhenItsNamespaceIsUnknown) {
  Scene scene = applied_scene({"east"});
  scene.mesh =
      shop({"east"}, "", "  - {name: far, network: far, role: remote, controlPlane: [east]}\n");
  scene.observation.clusters.push_back(bare("far"));
  scene.cluster("far").system_namespace = Observed<NamespaceFacts>::unknown(kReasons[0]);
  EXPECT_TRUE(plan(scene).is_refused());
  EXPECT_TRUE(plan(scene).plan.is_empty());
}

}  // namespace
}  // namespace meshtrust::mesh
