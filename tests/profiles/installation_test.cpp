#include "profiles/installation.h"

#include "profiles/istioctl.h"
#include "profiles/load.h"
#include "profiles/merge.h"
#include "tests/profiles/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meshtrust::profiles {
namespace {

using base::Json;
using testing::ElementsAre;
using testing::IsEmpty;

Mesh mesh_of(const std::string& spec) {
  const std::string head = "apiVersion: meshtrust/v1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n";
  auto mesh = load_mesh("mesh.yaml", head + spec);
  EXPECT_TRUE(mesh) << render(mesh.error());
  return *std::move(mesh);
}

constexpr const char* kTwo =
    "  clusters:\n"
    "  - {name: east, network: n1}\n"
    "  - {name: west, network: n2, role: remote, controlPlane: [east]}\n";

Installation only(const Mesh& mesh, std::string_view cluster) {
  const auto runs = installations(mesh, *mesh.find(cluster));
  EXPECT_TRUE(runs) << render(runs.error());
  EXPECT_EQ(runs->size(), 1U);
  return runs->front();
}

std::string refusal(const Mesh& mesh,
                    std::string_view cluster,
                    const std::optional<BaseFile>& file = std::nullopt) {
  const auto runs = installations(mesh, *mesh.find(cluster), file);
  EXPECT_FALSE(runs) << "was accepted";
  return runs ? "" : render(runs.error());
}

TEST(Installations, NeedAVersion) {
  const Mesh mesh = mesh_of(kTwo);
  const std::string errors = refusal(mesh, "east");
  EXPECT_THAT(errors, testing::HasSubstr("nothing says which Istio to install"));
}

TEST(Installations, WaitForTheAddressThatRemotesCall) {
  const Mesh mesh = mesh_of(std::string("  istio: {version: \"1.30.3\"}\n") + kTwo);
  const Installation open = only(mesh, "west");
  EXPECT_THAT(references_in(open), ElementsAre("east/gateway-address"));
  EXPECT_EQ(digest_of(open), std::nullopt);
  const Installation known = resolve(open, [](const std::string&) { return "192.0.2.1"; });
  EXPECT_THAT(references_in(known), IsEmpty());
  EXPECT_EQ(*find_path(known.values, "global.remotePilotAddress"), "192.0.2.1");
  EXPECT_EQ(digest_of(known)->size(), 64U);
}

TEST(Installations, TakeTheAddressThatTheMeshFileStates) {
  const Mesh mesh = mesh_of(
      "  istio: {version: \"1.30.3\"}\n"
      "  clusters:\n"
      "  - {name: east, network: n1, eastWestGateway: {address: 192.0.2.7}}\n"
      "  - {name: west, network: n2, role: remote, controlPlane: [east]}\n");
  EXPECT_EQ(*find_path(only(mesh, "west").values, "global.remotePilotAddress"), "192.0.2.7");
}

TEST(Installations, MergeTheUsersValuesLast) {
  const Mesh mesh = mesh_of(
      "  istio:\n"
      "    version: \"1.30.3\"\n"
      "    values: {global: {hub: a, proxy: {x: 1}}, meshConfig: {accessLogFile: /dev/stdout}}\n"
      "  defaults: {values: {global: {hub: b, tag: t}}}\n"
      "  clusters:\n"
      "  - {name: east, network: n1, values: {global: {hub: c, network: n1}}}\n"
      "  - {name: west, network: n2}\n");
  const Installation east = only(mesh, "east");
  EXPECT_EQ(*find_path(east.values, "global.hub"), "c");
  EXPECT_EQ(*find_path(east.values, "global.tag"), "t");
  EXPECT_EQ(*find_path(east.values, "global.proxy.x"), 1);
  EXPECT_EQ(*find_path(only(mesh, "west").values, "global.hub"), "b");
  EXPECT_EQ(east.mesh_config,
            Json({{"accessLogFile", "/dev/stdout"}, {"trustDomain", "cluster.local"}}));
}

TEST(Installations, RefuseValuesThatBreakWhatHasToAgreeByNameAndPlace) {
  const Mesh mesh = mesh_of(
      "  istio:\n"
      "    version: \"1.30.3\"\n"
      "    values:\n"
      "      global: {meshID: other, multiCluster: x}\n"
      "      meshConfig: {trustDomain: elsewhere}\n"
      "      pilot: {env: {CLUSTER_ID: x, EXTERNAL_ISTIOD: \"false\"}}\n"
      "      profile: ambient\n"
      "      revision: \"\"\n"
      "      istiodRemote: {}\n" +
      std::string(kTwo));
  expect_golden("data/values/primary.expected", refusal(mesh, "east"));
  expect_golden("data/values/remote.expected", refusal(mesh, "west"));
}

constexpr const char* kExternal =
    "  istio: {version: \"1.30.3\"}\n"
    "  clusters:\n"
    "  - {name: hub, network: n0, role: external}\n"
    "  - {name: west, network: n1, role: config, controlPlane: [hub]}\n";

TEST(Installations, OfAHostingClusterAreTheIngressAndTheExternalControlPlane) {
  const Mesh mesh = mesh_of(kExternal);
  const auto runs = installations(mesh, *mesh.find("hub"));
  ASSERT_TRUE(runs);
  ASSERT_EQ(runs->size(), 2U);
  EXPECT_EQ(id_of((*runs)[0].kind), "ingress");
  EXPECT_EQ((*runs)[0].namespace_name, "istio-system");
  EXPECT_THAT(references_in((*runs)[0]), IsEmpty());
  EXPECT_EQ(id_of((*runs)[1].kind), "external");
  EXPECT_EQ((*runs)[1].namespace_name, "external-istiod");
  EXPECT_THAT(references_in((*runs)[1]), ElementsAre("hub/ingress-address"));
  EXPECT_EQ(only(mesh, "west").method, Installation::Method::kApply);
}

TEST(Digest, ChangesWithWhatIsInstalledAndNothingElse) {
  const std::string clusters = "  clusters:\n  - {name: east, network: n1, context: CONTEXT}\n";
  const auto digest = [&](const std::string& istio, const std::string& context) {
    std::string spec = "  istio: {" + istio + "}\n" + clusters;
    spec.replace(spec.find("CONTEXT"), 7, context);
    return *digest_of(only(mesh_of(spec), "east"));
  };
  const std::string usual = digest("version: \"1.30.3\"", "a");
  EXPECT_EQ(digest("version: \"1.30.3\"", "b"), usual);
  EXPECT_NE(digest("version: \"1.30.4\"", "a"), usual);
  EXPECT_NE(digest("version: \"1.30.3\", revision: canary", "a"), usual);
  EXPECT_NE(digest("version: \"1.30.3\", values: {a: 1}", "a"), usual);
}

class BaseFileOfTheUser : public testing::Test {
 protected:
  static BaseFile file(const std::string& text) { return {.name = "base.yaml", .text = text}; }

  Mesh mesh_ = mesh_of(std::string("  istio: {version: \"1.30.3\"}\n") + kTwo);
};

TEST_F(BaseFileOfTheUser, IsKeptButForWhatIsLaidOverIt) {
  const auto runs = installations(mesh_, *mesh_.find("east"), file(R"(
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: mine, namespace: istio-system}
spec:
  profile: demo
  hub: images.example/istio
  meshConfig: {accessLogFile: /dev/stdout}
  components:
    pilot:
      k8s:
        env: [{name: PILOT_TRACE_SAMPLING, value: "1"}, {name: EXTERNAL_ISTIOD, value: "true"}]
  values:
    global: {network: n1, proxy: &proxy {logLevel: info}}
    other: *proxy
)"));
  ASSERT_TRUE(runs) << render(runs.error());
  EXPECT_EQ(istio_operator_file(runs->front()), R"(apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata:
  name: mine
  namespace: istio-system
spec:
  components:
    pilot:
      k8s:
        env:
          - name: PILOT_TRACE_SAMPLING
            value: "1"
          - name: EXTERNAL_ISTIOD
            value: "true"
  hub: images.example/istio
  meshConfig:
    accessLogFile: /dev/stdout
    trustDomain: cluster.local
  profile: demo
  values:
    global:
      externalIstiod: true
      istioNamespace: istio-system
      meshID: shop
      multiCluster:
        clusterName: east
      network: n1
      proxy:
        logLevel: info
    other:
      logLevel: info
    pilot:
      env:
        EXTERNAL_ISTIOD: "true"
)");
}

TEST_F(BaseFileOfTheUser, IsRefusedByNameAndPlaceWhereItDisagrees) {
  expect_golden("data/values/base_of_primary.expected",
                refusal(mesh_, "east", file(R"(apiVersion: install.istio.io/v1
kind: IstioOperators
metadata: {namespace: istio}
spec:
  profile: ambient
  revision: canary
  meshConfig: {trustDomain: elsewhere}
  components:
    pilot:
      k8s:
        env: [{name: CLUSTER_ID, value: west}, {name: EXTERNAL_ISTIOD, value: "false"}]
  values:
    global: {network: n2, tag: 1.30}
)")));
  expect_golden("data/values/base_of_remote.expected",
                refusal(mesh_, "west", file(R"(apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  profile: default
  values:
    istiodRemote: {injectionPath: /inject/cluster/east/net/n2}
    global: {remotePilotAddress: 192.0.2.1}
)")));
}

TEST_F(BaseFileOfTheUser, IsRefusedWhenItIsNoIstioOperator) {
  for (const char* text : {"", "[]", "a: 1\n---\nb: 2\n", "x", "{"}) {
    EXPECT_NE(refusal(mesh_, "east", file(text)), "") << text;
  }
  EXPECT_EQ(refusal(mesh_, "east", file("global: {}\n")),
            "base.yaml:1:1: error: 'apiVersion' is 'absent', expected "
            "'install.istio.io/v1alpha1'\n    global: {}\n    ^\n"
            "base.yaml:1:1: error: 'kind' is 'absent', expected 'IstioOperator'\n"
            "    global: {}\n    ^\n");
}

TEST_F(BaseFileOfTheUser, IsNotThatOfTheIngressGateway) {
  const Mesh mesh = mesh_of(kExternal);
  const auto runs = installations(mesh, *mesh.find("hub"), file(R"(
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec: {hub: images.example}
)"));
  ASSERT_TRUE(runs) << render(runs.error());
  EXPECT_TRUE((*runs)[0].base.is_null());
  EXPECT_EQ((*runs)[1].base["spec"]["hub"], "images.example");
}

}  // namespace
}  // namespace meshtrust::profiles
