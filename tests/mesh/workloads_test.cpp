#include "mesh/workloads.h"

#include "mesh/check/workloads.h"
#include "mesh/observation.h"
#include "tests/mesh/mesh_builder.h"
#include "tests/support/found.h"
#include "tests/support/golden.h"
#include "tests/support/matchers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using base::Json;
using istio::Credential;
using ::testing::ElementsAre;

// Pods.

Json pod(const std::string& name_space, const std::string& name, const std::string& created) {
  return {{"metadata",
           {{"namespace", name_space},
            {"name", name},
            {"creationTimestamp", created},
            {"labels", {{"pod-template-hash", "5d4f"}}},
            {"annotations", {{"istio.io/rev", "default"}}},
            {"ownerReferences",
             {{{"kind", "ReplicaSet"}, {"name", "web-5d4f"}, {"controller", true}}}}}},
          {"spec",
           {{"serviceAccountName", "web"},
            {"containers", {{{"name", "web"}}, {{"name", "istio-proxy"}}}}}}};
}

const char* const kCreated = "2026-11-20T10:00:00Z";

TEST(WorkloadPod, SaysWhatMadeItAndAsWhomItRuns) {
  const auto read = workload_pod(pod("shop", "web-5d4f-1", kCreated), "");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->namespace_name, "shop");
  EXPECT_EQ(read->name, "web-5d4f-1");
  EXPECT_EQ(read->workload, "Deployment/web");
  EXPECT_EQ(read->service_account, "web");
  EXPECT_EQ(base::format_rfc3339(read->created), kCreated);
  EXPECT_EQ(read->admin_port, 15000);
  EXPECT_TRUE(read->credentials.is_unknown());
}

struct PodCase {
  const char* what;
  void (*change)(Json& pod);
  const char* workload;  ///< "" where it is no workload of the mesh
};

const PodCase kPods[] = {
    {"without a proxy", [](Json& one) { one["spec"]["containers"].erase(1); }, ""},
    {"of another revision",
     [](Json& one) { one["metadata"]["annotations"]["istio.io/rev"] = "canary"; }, ""},
    {"that is being deleted", [](Json& one) { one["metadata"]["deletionTimestamp"] = kCreated; },
     ""},
    {"whose proxy starts first and goes on",
     [](Json& one) {
       one["spec"]["initContainers"] = {{{"name", "istio-proxy"}, {"restartPolicy", "Always"}}};
       one["spec"]["containers"].erase(1);
     },
     "Deployment/web"},
    {"that says nothing of a revision", [](Json& one) { one["metadata"].erase("annotations"); },
     "Deployment/web"},
    {"of a DaemonSet",
     [](Json& one) {
       one["metadata"]["ownerReferences"] = {
           {{"kind", "Node"}, {"name", "n"}},
           {{"kind", "DaemonSet"}, {"name", "ztunnel"}, {"controller", true}}};
     },
     "DaemonSet/ztunnel"},
    {"of a ReplicaSet that nobody named after its pods",
     [](Json& one) { one["metadata"]["labels"].clear(); }, "ReplicaSet/web-5d4f"},
    {"of nobody", [](Json& one) { one["metadata"].erase("ownerReferences"); }, "Pod/web-5d4f-1"},
};

TEST(WorkloadPod, IsOneWithAProxyOfTheMesh) {
  for (const PodCase& one : kPods) {
    Json changed = pod("shop", "web-5d4f-1", kCreated);
    one.change(changed);
    const auto read = workload_pod(changed, "");
    EXPECT_EQ(read ? read->workload : "", one.workload) << one.what;
  }
  EXPECT_FALSE(workload_pod(pod("shop", "web-5d4f-1", kCreated), "canary"));
  EXPECT_FALSE(workload_pod(Json::array(), ""));
}

TEST(WorkloadPod, IsAskedWhereTheConfigurationOfItsProxySays) {
  for (const auto& [config, port] :
       std::vector<std::pair<std::string, int>>{{R"({"proxyAdminPort":15099})", 15099},
                                                {R"({"proxyAdminPort":70000})", 15000},
                                                {R"({"concurrency":2})", 15000},
                                                {"no JSON", 15000}}) {
    Json changed = pod("shop", "web-5d4f-1", kCreated);
    changed["spec"]["containers"][1]["env"] = {{{"name", "PROXY_CONFIG"}, {"value", config}}};
    EXPECT_EQ(workload_pod(changed, "")->admin_port, port) << config;
  }
}

WorkloadPod made(const std::string& name_space, const std::string& workload, int hour) {
  return {.namespace_name = name_space,
          .name = fmt::format("{}-{}", workload, hour),
          .workload = "Deployment/" + workload,
          .service_account = workload,
          .created = base::Instant(std::chrono::hours(hour))};
}

std::vector<std::string> chosen(const std::vector<WorkloadPod>& all, std::size_t most) {
  std::vector<std::string> names;
  for (const WorkloadPod& one : choose_pods(all, most).chosen) {
    names.push_back(one.namespace_name + "/" + one.name);
  }
  return names;
}

TEST(ChoosingPods, TakesTheNewestAndTheOldestOfEachWorkloadAndNamespacesInTurn) {
  const std::vector<WorkloadPod> all{made("shop", "web", 1),  made("shop", "web", 2),
                                     made("shop", "web", 3),  made("shop", "web", 4),
                                     made("shop", "api", 2),  made("bank", "till", 7),
                                     made("bank", "till", 8), made("shop", "api", 1)};
  EXPECT_THAT(chosen(all, 100),
              ElementsAre("bank/till-8", "shop/api-2", "shop/web-4",  // the newest
                          "bank/till-7", "shop/api-1", "shop/web-1",  // the oldest
                          "shop/web-3", "shop/web-2"));
  EXPECT_THAT(chosen(all, 2), ElementsAre("bank/till-8", "shop/api-2"));
  EXPECT_EQ(choose_pods(all, 2).pods, 8U) << "how many there are is said all the same";
  EXPECT_EQ(choose_pods({}, 2).pods, 0U);
}

TEST(ChoosingPods, LetsNoNamespaceTakeAllPlaces) {
  std::vector<WorkloadPod> all{made("tiny", "one", 1)};
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    all.push_back(made("huge", name, 1));
  }
  EXPECT_THAT(chosen(all, 2), ElementsAre("huge/a-1", "tiny/one-1"));
}

// What they told.

std::vector<pki::Certificate> certificates(const std::vector<std::string>& names) {
  std::vector<pki::Certificate> all;
  for (const std::string& name : names) {
    all.push_back(pki::certificates_from_pem(
                      test::content_of(test::test_file("data/workloads/" + name + ".pem")))
                      .value()
                      .front());
  }
  return all;
}

std::string pem_of(const std::vector<std::string>& names) {
  return pki::to_pem(certificates(names));
}

WorkloadPod telling(const std::string& name,
                    const std::vector<std::string>& chain,
                    const std::vector<std::string>& roots) {
  WorkloadPod pod = made("shop", "web", 1);
  pod.name = name;
  pod.read_at = kNow;
  pod.credentials =
      std::vector<Credential>{{.chain = certificates(chain), .roots = certificates(roots)}};
  return pod;
}

WorkloadPod silent(const std::string& name, base::Error why) {
  WorkloadPod pod = made("shop", "web", 1);
  pod.name = name;
  pod.read_at = kNow;
  pod.credentials = Observed<std::vector<Credential>>::unknown(std::move(why));
  return pod;
}

base::Error forbidden(const std::string& pod) {
  return {.code = base::Code::kPermission,
          .message = "opening a tunnel to port 15000 of pod 'shop/" + pod + "': not permitted",
          .hints = {"a tunnel takes the rights 'get' and 'create' on pods/portforward in namespace "
                    "'shop'"}};
}

void set_ca(ClusterObservation& cluster, const std::string& ca, const std::string& root) {
  cluster.cacerts = CacertsFacts{.resource_version = "7",
                                 .files = {},
                                 .certificates = {.ca_cert = pem_of({ca}),
                                                  .cert_chain = pem_of({ca}),
                                                  .root_cert = pem_of({root})},
                                 .key = istio::KeyMatch::kMatches,
                                 .managers = {}};
  cluster.workload_roots = pem_of({root});
}

void tell(ClusterObservation& cluster, std::vector<WorkloadPod> pods, std::size_t all = 0) {
  cluster.live.workloads = Observed<WorkloadFacts>(
      WorkloadFacts{.pods = std::max(all, pods.size()), .chosen = std::move(pods)});
}

/// Two clusters whose workloads are all as they should be.
Scene sound_scene() {
  Scene scene = applied_scene({"east", "west"});
  scene.purpose = Purpose::kProve;
  scene.observation.level = Level::kDeep;
  set_ca(scene.cluster("east"), "east", "root");
  set_ca(scene.cluster("west"), "west", "root");
  tell(scene.cluster("east"), {telling("web-1", {"web", "east", "root"}, {"root"}),
                               telling("web-2", {"web-late", "east", "root"}, {"root"})});
  tell(scene.cluster("west"), {telling("api-1", {"api", "west", "root"}, {"root"})});
  return scene;
}

std::string ask_workloads(std::string_view id, const Scene& scene) {
  Answer answer;
  for (const Check& check : mesh_checks()) {
    if (!id.empty() && check.id != id) continue;
    if (!check.id.starts_with("workload")) continue;
    check.ask({.mesh = scene.mesh,
               .observation = scene.observation,
               .at = scene.at,
               .purpose = scene.purpose},
              answer);
  }
  return describe(answer);
}

/// A change, and what the check makes of it. The whole answers stand in
/// golden/check/<check>/<name>.txt.
struct WorkloadCase {
  const char* check;
  const char* name;
  std::function<void(Scene&)> change;
};

std::ostream& operator<<(std::ostream& out, const WorkloadCase& one) {
  return out << one.check << " " << one.name;
}

const WorkloadCase kCases[] = {
    {"workloads-told", "pods-may-not-be-listed",
     [](Scene& s) {
       s.cluster("west").live.workloads =
           Observed<WorkloadFacts>::unknown({.code = base::Code::kPermission,
                                             .message = "listing pods: not permitted",
                                             .hints = {"it takes the right 'list' on pods"}});
     }},
    {"workloads-told", "no-way-into-pods",
     [](Scene& s) {
       std::vector<WorkloadPod> pods{telling("api-1", {"api", "west", "root"}, {"root"})};
       for (const char* name : {"api-2", "api-3", "api-4", "api-5", "api-6", "api-7", "api-8"}) {
         pods.push_back(silent(name, forbidden(name)));
       }
       tell(s.cluster("west"), std::move(pods), 20);
     }},
    {"workloads-renew", "over-when-it-was-asked",
     [](Scene& s) {
       tell(s.cluster("east"), {telling("web-1", {"web", "east", "root"}, {"root"}),
                                telling("web-2", {"web-over", "east", "root"}, {"root"})});
     }},
    {"workloads-moved", "one-has-not-renewed-yet",
     [](Scene& s) {
       tell(s.cluster("east"), {telling("web-1", {"web", "east", "root"}, {"root"}),
                                telling("web-2", {"web-before", "east-before", "root"}, {"root"})});
     }},
    {"workload-roots-agree", "one-trusts-more-after-a-root-was-dropped",
     [](Scene& s) {
       tell(s.cluster("east"), {telling("web-1", {"web", "east", "root"}, {"root"}),
                                telling("web-2", {"web", "east", "root"}, {"root", "next-root"})});
     }},
    // The next root is published, and its bridge is presented: nothing fails.
    {"workload-roots-agree", "all-trust-the-old-root-while-bridged",
     [](Scene& s) {
       for (const char* name : {"east", "west"}) {
         set_ca(s.cluster(name), "next-west", "next-root");
         CacertsFacts facts = test::found_in(s.cluster(name).cacerts);
         facts.certificates.cert_chain = pem_of({"next-west", "bridge"});
         s.cluster(name).cacerts = facts;
       }
     }},
    {"workload-roots-agree", "all-trust-the-old-root-without-a-bridge",
     [](Scene& s) {
       for (const char* name : {"east", "west"}) {
         set_ca(s.cluster(name), "next-west", "next-root");
       }
     }},
    {"workload-roots-agree", "nothing-in-common-and-no-ca-may-be-read",
     [](Scene& s) {
       for (const char* name : {"east", "west"}) {
         s.cluster(name).cacerts = Absent{};
       }
       s.cluster("west").workload_roots = pem_of({"next-root"});
     }},
    {"workloads-accepted", "one-cluster-signs-below-the-next-root-too-early",
     [](Scene& s) {
       tell(s.cluster("west"),
            {telling("api-1", {"api-next", "next-west", "next-root"}, {"root", "next-root"}),
             telling("api-2", {"api", "west", "root"}, {"root", "next-root"})});
     }},
    {"workloads-accepted", "a-chain-without-its-intermediate",
     [](Scene& s) {
       tell(s.cluster("west"), {telling("api-1", {"api", "root"}, {"root"})});
     }},
};

class WorkloadCheck : public ::testing::TestWithParam<WorkloadCase> {};

TEST_P(WorkloadCheck, SaysWhatIsWrongWithItsEvidence) {
  Scene scene = sound_scene();
  EXPECT_EQ(ask_workloads("", scene), "") << "the scene is not sound to begin with";
  GetParam().change(scene);
  test::expect_golden(
      std::string("golden/check/") + GetParam().check + "/" + GetParam().name + ".txt",
      ask_workloads(GetParam().check, scene));
  scene.purpose = Purpose::kChange;
  EXPECT_EQ(ask_workloads("", scene), "") << "a workload stops no change";
}

INSTANTIATE_TEST_SUITE_P(Cases, WorkloadCheck, ::testing::ValuesIn(kCases), [](const auto& one) {
  std::string name = std::string(one.param.check) + "_" + one.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(WorkloadChecks, EachHasACase) {
  std::set<std::string_view> with_case;
  for (const WorkloadCase& one : kCases) {
    with_case.insert(one.check);
  }
  for (const Check& check : mesh_checks()) {
    if (!check.id.starts_with("workload")) continue;
    EXPECT_TRUE(with_case.contains(check.id)) << check.id;
  }
}

TEST(WorkloadChecks, SayNothingOfAClusterThatNobodyAsked) {
  Scene scene = sound_scene();
  for (ClusterObservation& cluster : scene.observation.clusters) {
    cluster.live.workloads.reset();
  }
  EXPECT_EQ(ask_workloads("", scene), "");
}

TEST(WorkloadChecks, JudgeForTheTimeAtWhichItWasAsked) {
  Scene scene = sound_scene();
  scene.at = kNow + base::days(400);
  EXPECT_EQ(ask_workloads("", scene), "") << "workloads renew long before";
}

TEST(WorkloadChecks, SayNothingOfAPodThatIsGone) {
  Scene scene = sound_scene();
  WorkloadPod gone = telling("api-2", {"api", "west", "root"}, {"root"});
  gone.credentials = Absent{};
  tell(scene.cluster("west"), {gone, telling("api-1", {"api", "west", "root"}, {"root"})});
  EXPECT_EQ(ask_workloads("", scene), "");
  const WorkloadSummary sum = summary_of(test::found_in(*scene.cluster("west").live.workloads));
  EXPECT_EQ(sum.pods, 1U);
  EXPECT_EQ(sum.read, 1U);
  EXPECT_EQ(sum.unread, 0U);
}

TEST(WorkloadChecks, FindOneBadChainAmongManyAlike) {
  Scene scene = sound_scene();
  std::vector<WorkloadPod> pods;
  for (int i = 0; i < 50; ++i) {
    pods.push_back(telling(fmt::format("web-{}", i), {"web", "east", "root"}, {"root"}));
  }
  // The intermediate is another one than signed it: its key is not that of the chain above.
  pods.push_back(telling("bad", {"web", "east-before", "root"}, {"root"}));
  tell(scene.cluster("east"), std::move(pods));
  EXPECT_THAT(ask_workloads("workloads-accepted", scene),
              ::testing::HasSubstr("shop/api-1 refuses shop/bad: "));
}

TEST(SummaryOfWorkloads, SaysUntilWhenTheLastOfThemLastsAndWhomTheyTrust) {
  const WorkloadSummary sum =
      summary_of({.pods = 7,
                  .chosen = {telling("web-1", {"web", "east", "root"}, {"root"}),
                             telling("web-2", {"web-late", "east", "root"}, {"root", "next-root"}),
                             silent("web-3", forbidden("web-3"))}});
  EXPECT_EQ(sum.pods, 7U);
  EXPECT_EQ(sum.read, 2U);
  EXPECT_EQ(sum.unread, 1U);
  EXPECT_EQ(base::format_rfc3339(sum.last_end.value()), "2026-11-22T09:30:00Z");
  EXPECT_THAT(sum.issuers, ElementsAre(certificates({"east"}).front().fingerprint()));
  EXPECT_EQ(sum.roots, (std::set{certificates({"root"}).front().fingerprint(),
                                 certificates({"next-root"}).front().fingerprint()}));
}

// Snapshots.

TEST(SnapshotOfWorkloads, IsReadAsItWasWritten) {
  Scene scene = sound_scene();
  for (ClusterObservation& cluster : scene.observation.clusters) {
    auto told = std::move(cluster.live.workloads);
    cluster.live = nothing_live();
    cluster.live.workloads = std::move(told);
  }
  WorkloadPod gone = telling("api-2", {"api", "west", "root"}, {"root"});
  gone.credentials = Absent{};
  gone.admin_port = 15099;
  tell(scene.cluster("west"), {gone, silent("api-3", forbidden("api-3"))}, 12);
  const Json written = to_json(scene.observation);
  const auto read = observation_from_json(written);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(to_json(*read), written);
  EXPECT_EQ(
      written["clusters"][0]["live"]["workloads"]["found"]["chosen"][0],
      (Json{{"namespace", "shop"},
            {"name", "web-1"},
            {"workload", "Deployment/web"},
            {"serviceAccount", "web"},
            {"created", "1970-01-01T01:00:00Z"},
            {"adminPort", 15000},
            {"readAt", "2026-11-21T10:00:00Z"},
            {"credentials",
             {{"found",
               {{{"chain", pem_of({"web", "east", "root"})}, {"roots", pem_of({"root"})}}}}}}}));
}

Json deep_snapshot() {
  Scene scene = sound_scene();
  for (ClusterObservation& cluster : scene.observation.clusters) {
    auto told = std::move(cluster.live.workloads);
    cluster.live = nothing_live();
    cluster.live.workloads = std::move(told);
  }
  return to_json(scene.observation);
}

TEST(SnapshotOfWorkloads, OfAnEarlierVersionSaysThatNobodyAsked) {
  Json earlier = deep_snapshot();
  for (Json& cluster : earlier["clusters"]) {
    cluster["live"].erase("workloads");
  }
  const auto read = observation_from_json(earlier);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_FALSE(read->find("east")->live.workloads);
}

TEST(SnapshotOfWorkloads, IsRefusedWhereAChainIsNoCertificate) {
  Json bent = deep_snapshot();
  bent["clusters"][0]["live"]["workloads"]["found"]["chosen"][0]["credentials"]["found"][0]
      ["chain"] = "x";
  EXPECT_THAT(observation_from_json(bent),
              test::FailsWith(base::Code::kInvalidInput,
                              "is not an observation: 'chain': no certificate found"));
}

}  // namespace
}  // namespace meshtrust::mesh
