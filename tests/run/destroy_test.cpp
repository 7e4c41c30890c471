// What `destroy` does to clusters when anything goes wrong: no object of others is changed or gone,
// and nothing is said to be done that is not.

#include "istio/names.h"
#include "tests/run/run_fixture.h"
#include "tests/run/troubles.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace meshtrust::run {
namespace {

using namespace testing;
using base::Json;
using test::Fault;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kGatewayPath =
    "/apis/apps/v1/namespaces/istio-system/deployments/istio-eastwestgateway";
const std::string kForeignConfig = kNamespacePath + "/configmaps/shop-config";

/// One cluster with its trust and a gateway, and what is of others in it.
class DestroyWorld : public MeshWorld {
 public:
  DestroyWorld() : MeshWorld({"east"}) {
    EXPECT_TRUE(apply()->succeeded());
    server.put(
        "east", kGatewayPath,
        {{"metadata",
          {{"labels",
            {{istio::kMeshLabel, "shop"}, {istio::kManagedByLabel, istio::kFieldManager}}}}}},
        "meshtrust");
    give_to_others("/api/v1/namespaces/other/secrets/cacerts");
    give_to_others("/api/v1/namespaces/other/configmaps/meshtrust-trust");
    reconnect();
  }

  void give_to_others(const std::string& path) {
    server.put("east", path, {{"metadata", {{"annotations", {{"of", "others"}}}}}});
    of_others[path] = *server.object("east", path);
  }

  void expect_others_untouched(const std::string& what) const {
    for (const auto& [path, object] : of_others) {
      const auto now = server.object("east", path);
      ASSERT_TRUE(now) << what << ": " << path << " is gone";
      EXPECT_EQ(*now, object) << what << ": " << path;
    }
  }

  /// What of this mesh is there.
  std::set<std::string> ours() const {
    std::set<std::string> paths;
    for (const std::string& path : {kCacertsPath, kTwinPath, kGatewayPath, kNamespacePath}) {
      if (server.object("east", path)) paths.insert(path);
    }
    return paths;
  }

  std::vector<std::string> deletes() const {
    std::vector<std::string> paths;
    for (const auto& request : server.writes()) {
      if (request.method == "DELETE") paths.push_back(request.path);
    }
    return paths;
  }

  std::map<std::string, Json> of_others;
};

/// Why a plan was refused.
std::string why(const mesh::Planned& planned) {
  std::string text;
  for (const base::Error& error : planned.answer.unknowns) {
    text += error.message + "\n";
  }
  for (const mesh::Finding& finding : planned.answer.findings) {
    text += finding.message + "\n";
  }
  return text;
}

base::Error first_error(const ExecutionReport& report) {
  const base::Errors errors = report.errors();
  return errors.empty() ? base::Error{} : errors.front();
}

const Trouble kTroubles[] = {kForbidden, kConflict, kInternalError, kNotServed,
                             kCutBefore, kCutAfter, kCutInTheMiddle};

void add_fault(DestroyWorld& world,
               Fault fault,
               const std::string& method,
               const std::string& path) {
  fault.cluster = "east";
  fault.method = method;
  fault.path_contains = path;
  fault.times = -1;
  world.server.add_fault(fault);
  world.reconnect();
}

class EveryTrouble : public ::testing::TestWithParam<Trouble> {};

INSTANTIATE_TEST_SUITE_P(Troubles,
                         EveryTrouble,
                         ::testing::ValuesIn(kTroubles),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Destroy, TakesAwayWhatIsOfTheMeshAndNothingElse) {
  DestroyWorld world;
  const mesh::Planned planned = world.plan_destroy();
  ASSERT_FALSE(planned.is_refused()) << why(planned);
  EXPECT_TRUE(world.destroy(planned.plan).succeeded());
  EXPECT_THAT(world.ours(), IsEmpty());
  world.expect_others_untouched("destroyed");
  const mesh::Planned rest = world.plan_destroy();
  EXPECT_FALSE(rest.is_refused()) << why(rest);
  EXPECT_TRUE(rest.plan.is_empty());
}

TEST_P(EveryTrouble, OfAReadRefusesThePlan) {
  DestroyWorld world;
  world.server.forget_requests();
  (void)world.observe_all();
  std::set<std::string> paths;
  std::set<std::string> missing;
  for (const auto& request : world.server.requests()) {
    paths.insert(request.path);
    if (request.status == 404) missing.insert(request.path);
  }
  std::erase_if(missing, [](const std::string& path) {
    return path.find("/namespaces/") != std::string::npos;
  });
  // Every kind that the server has, and its groups.
  EXPECT_THAT(paths, Contains("/apis/coordination.k8s.io/v1/namespaces/istio-system/leases"));
  EXPECT_THAT(paths, Contains("/apis/coordination.k8s.io/v1"));
  for (const std::string& path : paths) {
    // What a server says of groups that it does not have.
    const bool is_the_truth = missing.contains(path) && GetParam().name == std::string("NotServed");
    if (is_the_truth) continue;
    add_fault(world, GetParam().fault, "GET", path);
    world.server.forget_requests();
    const mesh::Planned planned = world.plan_destroy();
    EXPECT_TRUE(planned.is_refused()) << path;
    EXPECT_TRUE(planned.plan.is_empty()) << path;
    EXPECT_THAT(world.server.writes(), IsEmpty()) << path;
    world.server.clear_faults();
  }
}

/// The requests of a run that goes well, after its plan was made.
std::set<std::pair<std::string, std::string>> requests_of_a_run() {
  DestroyWorld world;
  const mesh::Planned planned = world.plan_destroy();
  world.server.forget_requests();
  (void)world.destroy(planned.plan);
  std::set<std::pair<std::string, std::string>> requests;
  for (const auto& request : world.server.requests()) {
    // One group stands for all of them.
    const bool is_another_group = request.method == "GET" && request.path.starts_with("/apis/") &&
                                  request.path.find("/coordination.k8s.io/") == std::string::npos;
    if (!is_another_group || request.path == kGatewayPath) {
      requests.emplace(request.method, request.path);
    }
  }
  return requests;
}

TEST_P(EveryTrouble, OfARequestOnTheWayIsNeverTakenForDone) {
  for (const auto& [method, path] : requests_of_a_run()) {
    const std::string what = method + " " + path;
    DestroyWorld world;
    const mesh::Planned planned = world.plan_destroy();
    add_fault(world, GetParam().fault, method, path);
    world.clock.jump_by(std::chrono::milliseconds{100});
    const ExecutionReport report = world.destroy(planned.plan);
    world.clock.jump_by(std::chrono::milliseconds{0});
    world.server.clear_faults();
    world.reconnect();
    world.expect_others_untouched(what);
    if (report.succeeded()) {
      EXPECT_THAT(world.ours(), IsEmpty()) << what;
    } else {
      EXPECT_THAT(report.errors(), ::testing::Not(IsEmpty())) << what;
      EXPECT_EQ(report.changed_anything(), world.ours().size() < 4) << what;
    }
    // The same command goes on from there.
    const mesh::Planned again = world.plan_destroy();
    ASSERT_FALSE(again.is_refused()) << what << why(again);
    EXPECT_TRUE(world.destroy(again.plan).succeeded()) << what;
    EXPECT_THAT(world.ours(), IsEmpty()) << what;
    world.expect_others_untouched(what);
  }
}

TEST(Destroy, LeavesWhatWasMadeAnewSinceThePlan) {
  for (const std::string& path : {kCacertsPath, kTwinPath, kGatewayPath}) {
    DestroyWorld world;
    const mesh::Planned planned = world.plan_destroy();
    ASSERT_FALSE(planned.is_refused()) << why(planned);
    world.server.remove("east", path);
    world.give_to_others(path);
    const ExecutionReport report = world.destroy(planned.plan);
    EXPECT_FALSE(report.succeeded()) << path;
    ASSERT_EQ(report.errors().size(), 1U) << path;
    EXPECT_EQ(first_error(report).code, base::Code::kPartial) << path;
    EXPECT_THAT(first_error(report).message, HasSubstr("was made anew since the plan: left alone"))
        << path;
    EXPECT_THAT(report.left(), Contains("east/namespace-gone")) << path;
    world.expect_others_untouched(path);
  }
}

TEST(Destroy, LeavesACacertsThatHoldsAnotherCaSinceThePlan) {
  DestroyWorld world;
  const mesh::Planned planned = world.plan_destroy();
  world.give_to_others(kCacertsPath);  // the same object, another content
  const ExecutionReport report = world.destroy(planned.plan);
  EXPECT_THAT(
      first_error(report).message,
      HasSubstr("secret 'istio-system/cacerts' holds another CA since the plan: left alone"));
  world.expect_others_untouched("another CA");
}

TEST(Destroy, LeavesANamespaceThatWasMadeAnewSinceThePlan) {
  DestroyWorld world;
  const mesh::Planned planned = world.plan_destroy();
  world.server.remove("east", kNamespacePath);
  world.give_to_others(kNamespacePath);
  const ExecutionReport report = world.destroy(planned.plan);
  EXPECT_THAT(first_error(report).message,
              HasSubstr("namespace 'istio-system' was made anew since the plan: left alone"));
  world.expect_others_untouched("namespace");
}

TEST(Destroy, TellsWhatHoldsANamespaceAndHowToListIt) {
  DestroyWorld world;
  Json held = *world.server.object("east", kNamespacePath);
  held["metadata"]["finalizers"] = {"example.com/hold"};
  const std::string left =
      "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource "
      "instances";
  held["status"]["conditions"] = {
      {{"type", "NamespaceFinalizersRemaining"}, {"status", "True"}, {"message", left}},
      {{"type", "NamespaceDeletionContentFailure"},
       {"status", "False"},
       {"message", "all is well"}}};
  world.server.put("east", kNamespacePath, held);
  const mesh::Planned planned = world.plan_destroy();
  ASSERT_FALSE(planned.is_refused()) << why(planned);
  world.clock.jump_by(std::chrono::milliseconds{50});
  const base::Error error = first_error(world.destroy(planned.plan));
  EXPECT_EQ(error.code, base::Code::kUnavailable);
  EXPECT_EQ(error.message,
            "east/namespace-gone: gave up after 3s; last seen: namespace "
            "'istio-system' is being deleted: " +
                left + "; it has the finalizer example.com/hold");
  EXPECT_THAT(error.hints,
              ElementsAre("what has finalizers waits for the controllers that set them: does each "
                          "still run?",
                          "list what is left in it with 'kubectl --context east api-resources "
                          "--verbs=list --namespaced -o name | xargs -n 1 kubectl --context east "
                          "-n istio-system get --ignore-not-found --show-kind'"));
}

TEST(Destroy, TellsWhatHoldsAnObjectAndNothingElseOfIt) {
  DestroyWorld world;
  Json held = *world.server.object("east", kGatewayPath);
  held["metadata"]["finalizers"] = {"example.com/hold"};
  held["status"]["conditions"] = {{{"type", "Available"},
                                   {"status", "True"},
                                   {"message", "Deployment has minimum availability."}}};
  world.server.put("east", kGatewayPath, held, "meshtrust");
  const mesh::Planned planned = world.plan_destroy();
  ASSERT_FALSE(planned.is_refused()) << why(planned);
  world.clock.jump_by(std::chrono::milliseconds{50});
  EXPECT_THAT(first_error(world.destroy(planned.plan)).message,
              ::testing::EndsWith("last seen: deployment 'istio-system/istio-eastwestgateway' is "
                                  "being deleted: it has the finalizer example.com/hold"));
}

TEST(Destroy, KeepsANamespaceIntoWhichSomethingWasPutSinceThePlan) {
  for (const bool with_namespace : {false, true}) {
    DestroyWorld world;
    if (with_namespace) {
      world.server.put("east", kNamespacePath + "/configmaps/known", Json::object());
    }
    const mesh::Planned planned =
        world.plan_destroy({.clusters = {}, .with_namespace = with_namespace});
    ASSERT_FALSE(planned.is_refused()) << why(planned);
    world.give_to_others(kForeignConfig);
    const ExecutionReport report = world.destroy(planned.plan);
    EXPECT_THAT(report.left(), ElementsAre("east/namespace-gone"));
    EXPECT_EQ(first_error(report).code, base::Code::kPartial);
    EXPECT_THAT(first_error(report).message,
                HasSubstr("namespace 'istio-system' stays: since the plan others put things into "
                          "it: ConfigMap shop-config"));
    world.expect_others_untouched("put into it");
  }
}

TEST(Destroy, LeavesANamespaceInWhichOthersKeepThingsAndTakesTheRest) {
  DestroyWorld world;
  world.give_to_others(kForeignConfig);
  const mesh::Planned planned = world.plan_destroy();
  ASSERT_FALSE(planned.is_refused()) << why(planned);
  EXPECT_TRUE(world.destroy(planned.plan).succeeded());
  EXPECT_THAT(world.ours(), ElementsAre(kNamespacePath));
  world.expect_others_untouched("kept");
}

TEST(Destroy, NeverDeletesAForeignCacertsThatMayNotBeRead) {
  DestroyWorld world;
  world.server.remove("east", kCacertsPath);
  world.give_to_others(kCacertsPath);
  world.server.deny("east", "get", "secrets");
  world.reconnect();
  world.server.forget_requests();
  const mesh::Planned planned = world.plan_destroy();
  EXPECT_TRUE(planned.is_refused());
  EXPECT_THAT(world.server.writes(), IsEmpty());
  world.expect_others_untouched("unreadable");
}

}  // namespace
}  // namespace meshtrust::run
