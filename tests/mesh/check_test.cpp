#include "mesh/check.h"

#include "istio/names.h"
#include "profiles/trust_objects.h"
#include "tests/mesh/trust_builder.h"
#include "tests/support/found.h"
#include "tests/support/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <set>
#include <string>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using ::testing::ContainsRegex;
using ::testing::Not;

/// One change to a mesh that is as it should be, and what a check makes of it. The whole answers
/// stand in golden/check/<check>/<name>.txt.
struct CheckCase {
  const char* check;
  const char* name;
  std::function<void(Scene&)> change;
};

std::ostream& operator<<(std::ostream& out, const CheckCase& one) {
  return out << one.check << " " << one.name;
}

base::Error forbidden() {
  return {.code = base::Code::kPermission, .message = "not permitted: User \"viewer\" cannot get"};
}
base::Error cut() {
  return {.code = base::Code::kUnavailable, .message = "the connection was cut"};
}

void nothing_is_known(ClusterObservation& cluster) {
  const std::string name = cluster.name;
  cluster = ClusterObservation{};
  cluster.name = name;
  cluster.server = Observed<ServerFacts>::unknown(cut());
}

template <class T>
void forbid(Observed<T>& fact) {
  fact = Observed<T>::unknown(forbidden());
}

void change_cacerts(ClusterObservation& cluster, const std::function<void(CacertsFacts&)>& change) {
  CacertsFacts facts = test::found_in(cluster.cacerts);
  change(facts);
  cluster.cacerts = facts;
}

void change_twin(ClusterObservation& cluster, std::string_view key, const std::string& value) {
  TwinFacts facts = test::found_in(cluster.twin);
  facts.data[std::string(key)] = value;
  cluster.twin = facts;
}

void change_store(Scene& scene, const std::function<void(StoreFacts&)>& change) {
  StoreFacts facts = scene.facts();
  change(facts);
  scene.observation.store = facts;
}

/// A primary east, and a remote that it manages.
profiles::Mesh with_remote() {
  return shop({"east"}, "", "  - {name: far, network: far, role: remote, controlPlane: [east]}\n");
}

/// A control plane in hub, with a CA from the store, for the workloads of far.
Scene hosted_scene() {
  Scene scene = applied_scene({"east"});
  scene.mesh = shop({}, "",
                    "  - {name: hub, network: hub, role: external}\n"
                    "  - {name: far, network: far, role: config, controlPlane: [hub]}\n");
  scene.observation.clusters = {applied(scene.mesh, "hub", "east"), bare("far")};
  StoreFacts facts = store({"east"});
  facts.issued.back().cluster = "hub";
  scene.observation.store = facts;
  return scene;
}

const CheckCase kCases[] = {
    {"servers-answer", "cut", [](Scene& s) { nothing_is_known(s.cluster("west")); }},
    {"servers-answer", "not-in-the-snapshot", [](Scene& s) { s.observation.clusters.pop_back(); }},
    {"clusters-distinct", "one-uid-twice",
     [](Scene& s) {
       ServerFacts server = test::found_in(s.cluster("west").server);
       server.cluster_uid = "uid-east";
       s.cluster("west").server = server;
     }},
    {"kubernetes-supported", "too-old",
     [](Scene& s) {
       s.cluster("west").server = ServerFacts{
           .url = "", .version = "v1.27.9", .major = 1, .minor = 27, .cluster_uid = "uid-west"};
     }},
    {"kubernetes-supported", "too-new",
     [](Scene& s) {
       s.cluster("west").server = ServerFacts{
           .url = "", .version = "v1.37.0", .major = 1, .minor = 37, .cluster_uid = "uid-west"};
     }},
    {"namespace-usable", "forbidden", [](Scene& s) { forbid(s.cluster("west").system_namespace); }},
    {"namespace-usable", "terminating",
     [](Scene& s) {
       s.cluster("west").system_namespace = NamespaceFacts{.network = "west", .terminating = true};
     }},
    {"marks-ours", "namespace-of-the-same-name",
     [](Scene& scene) {
       NamespaceFacts facts = test::found_in(scene.cluster("west").system_namespace);
       facts.root = root_mark("other-root");
       scene.cluster("west").system_namespace = facts;
     }},
    {"marks-ours", "namespace-of-another-name",
     [](Scene& scene) {
       NamespaceFacts facts = test::found_in(scene.cluster("west").system_namespace);
       facts.mesh = "bank";
       scene.cluster("west").system_namespace = facts;
     }},
    {"network-agrees", "another-label",
     [](Scene& s) { s.cluster("west").system_namespace = NamespaceFacts{.network = "network7"}; }},
    {"root-agrees", "store-unknown",
     [](Scene& s) {
       s.observation.store = Observed<StoreFacts>::unknown(
           {.code = base::Code::kCorrupt, .message = "line 3 of the ledger was changed"});
     }},
    {"root-agrees", "ends-too-soon-below-a-company",
     [](Scene& s) {
       change_store(s,
                    [](StoreFacts& facts) { facts.above = pem("short-bridge") + pem("company"); });
       s.cluster("west") = bare("west");
     }},
    {"root-agrees", "expired-below-a-company",
     [](Scene& s) {
       change_store(s,
                    [](StoreFacts& facts) { facts.above = pem("short-bridge") + pem("company"); });
       s.at = base::parse_rfc3339("2026-12-20T00:00:00Z").value();
     }},
    {"root-agrees", "another-subject",
     [](Scene& s) {
       change_store(s, [](StoreFacts& facts) { facts.declared_subject = "O=Old,CN=Old"; });
     }},
    {"root-agrees", "another-key",
     [](Scene& s) { s.mesh.trust.root.key = pki::KeyAlgorithm::kRsa4096; }},
    {"root-agrees", "expired",
     [](Scene& s) { s.at = base::parse_rfc3339("2036-01-01T00:00:00Z").value(); }},
    {"cacerts-read", "csi-to-prove",
     [](Scene& s) {
       mount_ca(s, "west");
       s.purpose = Purpose::kProve;
     }},
    {"cacerts-read", "csi-to-change", [](Scene& s) { mount_ca(s, "west"); }},
    {"cacerts-read", "csi-where-trust-is-observed",
     [](Scene& s) {
       s.mesh = shop({"east", "west"}, "mode: observed");
       s.purpose = Purpose::kProve;
       mount_ca(s, "west");
     }},
    {"cacerts-read", "in-a-pod-alone",
     [](Scene& s) {
       mount_ca(s, "west");
       CaVolume other = csi_volume();
       other.workload = "pod 'istiod-5f7'";
       other.is_of_pod = true;
       s.cluster("west").other_ca = other;
     }},
    {"cacerts-read", "beside-a-cacerts-of-ours",
     [](Scene& s) {
       s.cluster("west").istiod = IstiodFacts{.deployments = {"istiod"}, .image = "pilot:1.30.3"};
       s.cluster("west").other_ca = csi_volume();
     }},
    {"cacerts-read", "below-another-root", [](Scene& s) { mount_ca(s, "west", {"other-root"}); }},
    {"cacerts-read", "unknown-to-change", [](Scene& s) { forbid(s.cluster("west").other_ca); }},
    {"cacerts-read", "unknown-to-prove",
     [](Scene& s) {
       s.purpose = Purpose::kProve;
       forbid(s.cluster("west").other_ca);
     }},
    {"live-roots-agree", "of-a-ca-from-elsewhere",
     [](Scene& s) { mount_ca(s, "west", {"other-root"}); }},
    {"mutual-trust", "ca-from-elsewhere-below-another-root",
     [](Scene& s) { mount_ca(s, "west", {"other-root"}); }},
    {"cacerts-ours", "foreign",
     [](Scene& s) { s.cluster("west") = applied(s.mesh, "west", "foreign", "other-root"); }},
    {"cacerts-ours", "unreadable-certificate",
     [](Scene& s) {
       change_cacerts(s.cluster("west"),
                      [](CacertsFacts& facts) { facts.certificates.ca_cert = "x"; });
     }},
    {"cacerts-ours", "swapped-contexts",
     [](Scene& s) {
       s.cluster("east") = applied(s.mesh, "east", "west");
       s.cluster("west") = applied(s.mesh, "west", "east");
     }},
    {"cacerts-ours", "not-in-the-ledger", [](Scene& s) { s.observation.store = store({"east"}); }},
    {"cacerts-ours", "no-store-at-all", [](Scene& s) { s.observation.store = Absent{}; }},
    {"cacerts-ours", "forbidden", [](Scene& s) { forbid(s.cluster("west").cacerts); }},
    {"cacerts-sound", "key-of-another",
     [](Scene& s) {
       change_cacerts(s.cluster("west"),
                      [](CacertsFacts& facts) { facts.key = istio::KeyMatch::kOther; });
     }},
    {"cacerts-sound", "chain-of-another",
     [](Scene& s) {
       change_cacerts(s.cluster("west"),
                      [](CacertsFacts& facts) { facts.certificates.cert_chain = pem("east"); });
     }},
    {"cacerts-sound", "nearly-over",
     [](Scene& s) { s.at = base::parse_rfc3339("2027-12-20T00:00:00Z").value(); }},
    {"cacerts-sound", "over",
     [](Scene& s) { s.at = base::parse_rfc3339("2029-12-20T00:00:00Z").value(); }},
    {"cacerts-sound", "absent-when-proving",
     [](Scene& s) {
       s.cluster("west").cacerts = Absent{};
       s.purpose = Purpose::kProve;
     }},
    {"live-roots-agree", "another-root",
     [](Scene& s) { s.cluster("west").workload_roots = pem("other-root"); }},
    {"live-roots-agree", "unreadable",
     [](Scene& s) { s.cluster("west").workload_roots = std::string("lost"); }},
    {"live-roots-agree", "self-signed-after-its-cacerts-was-deleted",
     [](Scene& s) {
       lose_cacerts(s, "west");
       s.mesh.trust.intermediate.lifetime = base::days(90);
       s.cluster("west").workload_roots = pem("istiod");
     }},
    {"live-roots-agree", "self-signed-before-its-cacerts-was-there",
     [](Scene& s) {
       s.cluster("west").istiod = IstiodFacts{.deployments = {"istiod-one"}, .image = "pilot"};
       s.cluster("west").workload_roots = pem("istiod");
     }},
    {"live-roots-agree", "of-a-remote-whose-control-plane-fell-back",
     [](Scene& s) {
       s = applied_scene({"east"});
       s.mesh = with_remote();
       s.observation.clusters.push_back(bare("far"));
       lose_cacerts(s, "east");
       s.cluster("east").workload_roots = pem("istiod");
       s.cluster("far").workload_roots = pem("istiod");
     }},
    {"live-roots-agree", "left-behind-in-a-remote",
     [](Scene& s) {
       s = applied_scene({"east"});
       s.mesh = with_remote();
       s.observation.clusters.push_back(bare("far"));
       s.cluster("far").workload_roots = pem("istiod");
     }},
    {"live-roots-agree", "self-signed-and-hosted-for-another",
     [](Scene& s) {
       s = hosted_scene();
       lose_cacerts(s, "hub");
       s.cluster("far").workload_roots = pem("istiod");
     }},
    {"live-roots-agree", "self-signed-istiod-before-there-is-a-store",
     [](Scene& s) {
       s = fresh_scene({"east", "west"});
       lose_cacerts(s, "west");
       s.cluster("west").workload_roots = pem("istiod");
     }},
    {"live-roots-agree", "self-signed-istiod-without-the-store-of-a-root-that-is-there",
     [](Scene& s) {
       s.observation.store = Absent{};
       s.cluster("east").cacerts = Absent{};
       lose_cacerts(s, "west");
       s.cluster("west").workload_roots = pem("istiod");
     }},
    {"live-roots-agree", "self-signed-before-there-is-a-store",
     [](Scene& s) {
       s = fresh_scene({"east", "west"});
       s.cluster("west").workload_roots = pem("other-root");
     }},
    {"live-roots-agree", "root-itself-below-a-company",
     [](Scene& s) {
       change_store(
           s, [](StoreFacts& facts) { facts.above = pem("root-by-company") + pem("company"); });
       s.cluster("east").workload_roots = pem("root");
     }},
    {"live-roots-agree", "twin-left-behind-before-there-is-a-store",
     [](Scene& s) {
       s.observation.store = Absent{};
       s.cluster("east") = bare("east");
       s.cluster("west").cacerts = Absent{};
     }},
    {"live-roots-agree", "cacerts-of-a-remote-before-there-is-a-store",
     [](Scene& s) {
       s = fresh_scene({"east"});
       s.mesh = with_remote();
       s.observation.clusters.push_back(applied(s.mesh, "far", "foreign", "other-root"));
     }},
    {"live-roots-agree", "cacerts-of-a-remote-unknown-before-there-is-a-store",
     [](Scene& s) {
       s = fresh_scene({"east"});
       s.mesh = with_remote();
       s.observation.clusters.push_back(bare("far"));
       forbid(s.cluster("far").cacerts);
     }},
    {"root-mintable", "two-left-out",
     [](Scene& s) {
       s = fresh_scene({"east", "west"});
       s.left_out = {"north", "south"};
     }},
    {"anchors-known", "behind-a-comment-in-every-place",
     [](Scene& s) {
       const std::string roots = pem("root") + "# for the migration\n" + pem("other-root");
       change_cacerts(s.cluster("west"),
                      [&](CacertsFacts& facts) { facts.certificates.root_cert = roots; });
       change_twin(s.cluster("west"), istio::kRootCertFile, roots);
       s.cluster("west").workload_roots = roots;
     }},
    {"anchors-known", "before-ours",
     [](Scene& s) {
       change_cacerts(s.cluster("west"), [](CacertsFacts& facts) {
         facts.certificates.root_cert = pem("other-root") + pem("root");
       });
     }},
    {"anchors-known", "an-intermediate-of-ours",
     [](Scene& s) {
       change_cacerts(s.cluster("west"),
                      [](CacertsFacts& facts) { facts.certificates.root_cert += pem("east"); });
     }},
    {"anchors-known", "of-workloads-alone",
     [](Scene& s) { s.cluster("west").workload_roots = pem("root") + pem("other-root"); }},
    {"anchors-known", "of-the-workloads-of-a-remote",
     [](Scene& s) {
       s.mesh = with_remote();
       s.observation.clusters.push_back(bare("far"));
       s.cluster("far").workload_roots = pem("root") + pem("other-root");
     }},
    {"anchors-known", "in-the-twin-alone",
     [](Scene& s) {
       change_twin(s.cluster("west"), istio::kRootCertFile, pem("root") + pem("other-root"));
     }},
    {"anchors-known", "in-the-twin-alone-when-proving",
     [](Scene& s) {
       change_twin(s.cluster("west"), istio::kRootCertFile, pem("root") + pem("other-root"));
       s.purpose = Purpose::kProve;
     }},
    {"anchors-known", "in-a-block-that-only-some-loaders-read",
     [](Scene& s) {
       std::string hidden = pem("other-root");
       for (const char* mark : {"BEGIN ", "END "}) {
         hidden.insert(hidden.find(mark) + std::string(mark).size(), "TRUSTED ");
       }
       s.cluster("west").workload_roots = pem("root") + hidden;
     }},
    {"anchors-known", "others-beside-its-ca",
     [](Scene& s) {
       change_cacerts(s.cluster("west"), [](CacertsFacts& facts) {
         facts.certificates.ca_cert += pem("foreign");
         facts.certificates.cert_chain += pem("east") + pem("foreign");
       });
     }},
    {"anchors-known", "another-form-of-cacerts",
     [](Scene& s) {
       change_cacerts(s.cluster("west"),
                      [](CacertsFacts& facts) { facts.files.emplace_back("tls.crt"); });
     }},
    {"anchors-known", "not-everywhere-where-trust-is-observed",
     [](Scene& s) {
       s.mesh = shop({"east", "west"}, "mode: observed");
       s.observation.store = Absent{};
       change_cacerts(s.cluster("west"), [](CacertsFacts& facts) {
         facts.certificates.root_cert += pem("other-root");
       });
     }},
    {"store-newest", "twin-of-an-issue-that-it-does-not-know",
     [](Scene& s) {
       s.observation.store = store({"east"});
       s.cluster("west").cacerts = Absent{};
     }},
    {"live-roots-agree", "forbidden", [](Scene& s) { forbid(s.cluster("west").workload_roots); }},
    {"trust-domain-agrees", "in-the-mesh-configuration",
     [](Scene& s) { s.cluster("west").trust_domain = std::string("old.example"); }},
    {"trust-domain-agrees", "in-one-of-two-mesh-configurations",
     [](Scene& s) {
       s.cluster("east").trust_domain = s.mesh.trust_domain;
       s.cluster("west").trust_domain = std::string("old.example");
     }},
    {"trust-domain-agrees", "in-the-twin",
     [](Scene& s) { change_twin(s.cluster("west"), profiles::kTwinTrustDomain, "old.example"); }},
    {"trust-domain-agrees", "forbidden", [](Scene& s) { forbid(s.cluster("west").trust_domain); }},
    {"twin-agrees", "mesh-renamed",
     [](Scene& s) { change_twin(s.cluster("west"), profiles::kTwinMesh, "old"); }},
    {"twin-agrees", "cluster-renamed",
     [](Scene& s) { change_twin(s.cluster("west"), profiles::kTwinCluster, "old"); }},
    {"twin-agrees", "forbidden", [](Scene& s) { forbid(s.cluster("west").twin); }},
    {"istiod-uses-cacerts", "deleted-under-it",
     [](Scene& s) {
       lose_cacerts(s, "west");
       s.cluster("west").workload_roots = pem("root");
     }},
    {"istiod-uses-cacerts", "deleted-under-it-when-proving",
     [](Scene& s) {
       lose_cacerts(s, "west");
       s.cluster("west").workload_roots = pem("root");
       s.purpose = Purpose::kProve;
     }},
    {"istiod-uses-cacerts", "deleted-where-trust-is-observed",
     [](Scene& s) {
       s.mesh = shop({"east", "west"}, "mode: observed");
       s.observation.store = Absent{};
       lose_cacerts(s, "west");
       s.cluster("west").twin = Absent{};
       s.cluster("west").workload_roots = pem("root");
       s.purpose = Purpose::kProve;
     }},
    {"istiod-uses-cacerts", "deleted-and-the-store-is-elsewhere",
     [](Scene& s) {
       s.observation.store = Absent{};
       lose_cacerts(s, "west");
       s.cluster("west").workload_roots = pem("root");
       s.purpose = Purpose::kProve;
     }},
    {"istiod-uses-cacerts", "self-signed-where-trust-is-observed",
     [](Scene& s) {
       s.mesh = shop({"east", "west"}, "mode: observed");
       s.observation.store = Absent{};
       lose_cacerts(s, "west");
       s.cluster("west").workload_roots = pem("istiod");
       s.purpose = Purpose::kProve;
     }},
    {"istiod-uses-cacerts", "self-signed-and-the-store-is-elsewhere",
     [](Scene& s) {
       s.observation.store = Absent{};
       lose_cacerts(s, "west");
       s.cluster("west").workload_roots = pem("istiod");
       s.purpose = Purpose::kProve;
     }},
    {"istiod-uses-cacerts", "self-signed-and-hosted-for-another",
     [](Scene& s) {
       s = hosted_scene();
       lose_cacerts(s, "hub");
       s.cluster("far").workload_roots = pem("istiod");
       s.purpose = Purpose::kProve;
     }},
    {"istiod-uses-cacerts", "below-a-root-of-unknown-origin",
     [](Scene& s) {
       s.mesh = shop({"east", "west"}, "mode: observed");
       s.observation.store = Absent{};
       lose_cacerts(s, "west");
       s.cluster("west").workload_roots = pem("other-root");
       s.purpose = Purpose::kProve;
     }},
    {"istiod-uses-cacerts", "nothing-published", [](Scene& s) { lose_cacerts(s, "west"); }},
    {"istiod-uses-cacerts", "nothing-published-when-proving",
     [](Scene& s) {
       lose_cacerts(s, "west");
       s.purpose = Purpose::kProve;
     }},
    {"istiod-uses-cacerts", "published-roots-forbidden",
     [](Scene& s) {
       lose_cacerts(s, "west");
       forbid(s.cluster("west").workload_roots);
     }},
    {"istiod-uses-cacerts", "nothing-to-compare-with",
     [](Scene& s) {
       s.mesh = shop({"west"}, "mode: observed");
       s.observation.store = Absent{};
       s.observation.clusters.erase(s.observation.clusters.begin());
       lose_cacerts(s, "west");
       s.cluster("west").twin = Absent{};
       s.cluster("west").workload_roots = pem("root");
       s.purpose = Purpose::kProve;
     }},
    {"istiod-uses-cacerts", "forbidden", [](Scene& s) { forbid(s.cluster("west").istiod); }},
    {"renewal-not-due", "inside-the-margin",
     [](Scene& s) { s.at = base::parse_rfc3339("2027-09-01T00:00:00Z").value(); }},
    {"lists-refreshed", "revoked-and-alive",
     [](Scene& s) {
       s.mesh.trust.crl = profiles::CrlProfile{.refresh = "nightly job", .place = {}};
       change_store(s, [](StoreFacts& facts) { facts.issued.back().revoked = true; });
     }},
    {"lists-refreshed", "revoked-and-nobody-looks-it-up",
     [](Scene& s) {
       change_store(s, [](StoreFacts& facts) { facts.issued.back().revoked = true; });
       s.purpose = Purpose::kProve;
     }},
    {"mutual-trust", "another-root",
     [](Scene& s) { s.cluster("west") = applied(s.mesh, "west", "foreign", "other-root"); }},
    {"cacerts-sound", "an-anchor-that-is-no-root",
     [](Scene& s) {
       change_cacerts(s.cluster("west"), [](CacertsFacts& facts) {
         facts.certificates.root_cert = pem("root-by-company");
       });
     }},
    {"mutual-trust", "botan-alone-refuses",
     [](Scene& s) {
       change_cacerts(s.cluster("west"), [](CacertsFacts& facts) {
         facts.certificates.root_cert = pem("root-by-company");
       });
     }},
    {"mutual-trust", "expired",
     [](Scene& s) { s.at = base::parse_rfc3339("2028-01-02T00:00:00Z").value(); }},
};

class TrustCheck : public ::testing::TestWithParam<CheckCase> {};

TEST_P(TrustCheck, SaysWhatIsWrongWithItsEvidence) {
  Scene scene = applied_scene({"east", "west"});
  EXPECT_EQ(ask(GetParam().check, scene), "") << "the scene is not sound to begin with";
  GetParam().change(scene);
  const std::string answer = ask(GetParam().check, scene);
  EXPECT_NE(answer, "");
  test::expect_golden(
      std::string("golden/check/") + GetParam().check + "/" + GetParam().name + ".txt", answer);
}

INSTANTIATE_TEST_SUITE_P(Cases, TrustCheck, ::testing::ValuesIn(kCases), [](const auto& one) {
  std::string name = std::string(one.param.check) + "_" + one.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(TrustChecks, AllSayYesToASoundMesh) {
  for (const Purpose purpose : {Purpose::kProve, Purpose::kChange}) {
    Scene scene = applied_scene({"east", "west", "north"});
    scene.purpose = purpose;
    for (const Check& check : trust_checks()) {
      EXPECT_EQ(ask(check.id, scene), "") << check.id;
    }
  }
}

TEST(TrustChecks, EachHasAnIdOfItsOwnAndACaseThatSaysNo) {
  std::set<std::string_view> with_case;
  for (const CheckCase& one : kCases) {
    with_case.insert(one.check);
  }
  std::set<std::string_view> ids;
  for (const Check& check : trust_checks()) {
    EXPECT_TRUE(ids.insert(check.id).second) << check.id << " twice";
    EXPECT_TRUE(check.question.ends_with("?")) << check.id;
    EXPECT_TRUE(with_case.contains(check.id)) << check.id << " has no case here";
  }
}

TEST(TrustChecks, TellOfACaThatIsNotThereOnce) {
  for (const char* published : {"root", "istiod", "other-root", ""}) {
    Scene scene = applied_scene({"east", "west"});
    lose_cacerts(scene, "west");
    if (*published != 0) scene.cluster("west").workload_roots = pem(published);
    for (const Purpose purpose : {Purpose::kProve, Purpose::kChange}) {
      scene.purpose = purpose;
      std::string said;
      for (const char* check : {"cacerts-sound", "live-roots-agree", "istiod-uses-cacerts"}) {
        said += ask(check, scene);
      }
      EXPECT_THAT(said, ContainsRegex("^[a-z]+ west "));
      EXPECT_THAT(said, Not(ContainsRegex("\n[a-z]+ west "))) << published;
    }
  }
}

TEST(TrustChecks, TellOfACaFromElsewhereOnceAndNeverAsAbsent) {
  for (const Purpose purpose : {Purpose::kProve, Purpose::kChange}) {
    Scene scene = applied_scene({"east", "west"});
    mount_ca(scene, "west");
    scene.purpose = purpose;
    for (const Check& check : trust_checks()) {
      if (check.id == "cacerts-read") continue;
      EXPECT_EQ(ask(check.id, scene), "") << check.id;
    }
  }
}

TEST(TrustChecks, SayNothingTwiceAboutAServerThatDoesNotAnswer) {
  Scene scene = applied_scene({"east", "west"});
  nothing_is_known(scene.cluster("west"));
  EXPECT_EQ(describe(plan(scene).answer), "unknown (unavailable): west: the connection was cut\n");
}

TEST(TrustChecks, LetAViewerProveFromTheTwinAlone) {
  Scene scene = applied_scene({"east", "west"});
  scene.purpose = Purpose::kProve;
  scene.observation.store = Absent{};
  for (ClusterObservation& cluster : scene.observation.clusters) {
    forbid(cluster.cacerts);
  }
  for (const Check& check : trust_checks()) {
    EXPECT_EQ(ask(check.id, scene), "") << check.id;
  }
}

TEST(TrustChecks, KnowWhatStandsAboveTheRootOrDid) {
  Scene scene = applied_scene({"east", "west"});
  change_store(scene, [](StoreFacts& facts) {
    facts.above = pem("root-by-company") + pem("company");
    facts.ever_above = pem("short-bridge") + facts.above;
  });
  change_cacerts(scene.cluster("west"), [](CacertsFacts& facts) {
    facts.certificates.cert_chain += pem("short-bridge");
    facts.certificates.root_cert = pem("company");
  });
  EXPECT_EQ(ask("anchors-known", scene), "");
}

TEST(TrustChecks, TakeAnEmptyTrustDomainForTheDefault) {
  Scene scene = applied_scene({"east", "west"});
  scene.cluster("west").trust_domain = std::string();
  EXPECT_EQ(ask("trust-domain-agrees", scene), "");
}

TEST(TrustChecks, LeaveForeignTrustAloneWhereItIsOnlyObserved) {
  Scene scene = applied_scene({"east", "west"});
  scene.mesh = shop({"east", "west"}, "mode: observed");
  scene.observation.store = Absent{};
  scene.cluster("east") = applied(scene.mesh, "east", "foreign", "other-root");
  scene.cluster("west") = applied(scene.mesh, "west", "foreign", "other-root");
  for (const Check& check : trust_checks()) {
    EXPECT_EQ(ask(check.id, scene), "") << check.id;
  }
}

}  // namespace
}  // namespace meshtrust::mesh
