#include "profiles/model.h"

#include "profiles/gateway.h"
#include "profiles/load.h"
#include "profiles/reader.h"
#include "tests/profiles/golden.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace meshtrust::profiles {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Mesh mesh_of(const std::string& spec) {
  auto mesh = load_mesh(
      "mesh.yaml", "apiVersion: meshtrust/v1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n" + spec);
  EXPECT_TRUE(mesh) << render(mesh.error());
  return *std::move(mesh);
}

Mesh example(const std::string& name) {
  return load_mesh(name, read_test_file("../examples/" + name + ".yaml")).value();
}

/// "west -> east", of config secrets "west => hub".
std::vector<std::string> secrets_of(const Mesh& mesh) {
  std::vector<std::string> secrets;
  for (const RemoteSecretIntent& intent : remote_secrets(mesh)) {
    const bool is_config = intent.kind == RemoteSecretIntent::Kind::kConfig;
    secrets.push_back(
        fmt::format("{} {} {}", intent.source, is_config ? "=>" : "->", intent.target));
  }
  return secrets;
}

std::vector<std::string> names(const Mesh& mesh, bool (*has)(const Mesh&, const Cluster&)) {
  std::vector<std::string> found;
  for (const Cluster& cluster : mesh.clusters) {
    if (has(mesh, cluster)) found.push_back(cluster.name);
  }
  return found;
}

TEST(RemoteSecrets, OfPrimariesGoToEveryOther) {
  EXPECT_THAT(secrets_of(example("one-network")), ElementsAre("west -> east", "east -> west"));
}

TEST(RemoteSecrets, OfRemotesGoToEveryPrimaryAndNoneToThem) {
  EXPECT_THAT(secrets_of(example("two-primaries-and-a-remote")),
              ElementsAre("west -> east", "north -> east", "east -> west", "north -> west"));
}

TEST(RemoteSecrets, OfAnExternalControlPlaneAllGoToItsHost) {
  EXPECT_THAT(secrets_of(example("external-control-plane")),
              ElementsAre("west => hub", "north -> hub"));
}

TEST(RemoteSecrets, ThatManagementNeedsAreThereWhateverIsDiscovered) {
  const std::string clusters =
      "  clusters:\n"
      "  - {name: east, network: n1}\n"
      "  - {name: west, network: n2}\n"
      "  - {name: north, network: n3, role: remote, controlPlane: [east]}\n";
  EXPECT_THAT(secrets_of(mesh_of("  discovery: none\n" + clusters)), ElementsAre("north -> east"));
  EXPECT_THAT(secrets_of(mesh_of("  discovery: {west: [north]}\n" + clusters)),
              ElementsAre("north -> east", "north -> west"));
}

TEST(EastWestGateways, StandWhereTrafficOrRemotesComeIn) {
  EXPECT_THAT(names(example("one-network"), has_east_west_gateway), IsEmpty());
  EXPECT_THAT(names(example("primary-remote-one-network"), has_east_west_gateway),
              ElementsAre("east"));
  EXPECT_THAT(names(example("primary-remote"), has_east_west_gateway),
              ElementsAre("east", "west", "north"));
  EXPECT_THAT(names(example("external-control-plane"), has_east_west_gateway),
              ElementsAre("west", "north"));
  EXPECT_THAT(names(example("external-control-plane-by-address"), has_east_west_gateway),
              IsEmpty());
  EXPECT_THAT(names(example("ambient"), has_east_west_gateway), ElementsAre("east", "west"));
}

TEST(NodeSelectors, AreReadAsIstiodReadsThem) {
  const auto read = [](const std::string& annotation) {
    EastWestGateway gateway;
    gateway.annotations[std::string(kNodeSelectorAnnotation)] = annotation;
    return node_selector(gateway);
  };
  using Labels = std::map<std::string, std::string>;
  EXPECT_EQ(node_selector({}), Labels());
  EXPECT_EQ(read("{}"), Labels());
  EXPECT_EQ(read("edge=yes"), Labels());
  EXPECT_EQ(read(R"({"edge": "yes", "zone": "a"})"), (Labels{{"edge", "yes"}, {"zone", "a"}}));
}

TEST(Exposure, IsAppliedWhereAnIstiodReadsItsConfiguration) {
  EXPECT_THAT(names(example("two-primaries-and-a-remote"), exposes_services),
              ElementsAre("east", "west"));
  EXPECT_THAT(names(example("external-control-plane"), exposes_services), ElementsAre("west"));
  EXPECT_THAT(names(example("primary-remote-one-network"), exposes_services), IsEmpty());
  EXPECT_THAT(names(example("ambient"), exposes_services), IsEmpty());
  EXPECT_THAT(names(example("two-primaries-and-a-remote"), exposes_istiod), ElementsAre("east"));
}

TEST(ControlPlaneAnnotation, ListsIstiodsByTheNamesThatTheyGiveThemselves) {
  const Mesh external = example("external-control-plane");
  EXPECT_EQ(control_plane_annotation(external, *external.find("north")), "west");
  EXPECT_EQ(control_plane_annotation(external, *external.find("west")), "");
  const Mesh two = mesh_of(
      "  clusters:\n"
      "  - {name: east, network: n1}\n"
      "  - {name: west, network: n2}\n"
      "  - {name: north, network: n3, role: remote, controlPlane: [west, east]}\n");
  EXPECT_EQ(control_plane_annotation(two, *two.find("north")), "west,east");
  EXPECT_EQ(control_plane_annotation(two, *two.find("east")), "");
}

TEST(SystemNamespace, IsThatOfTheControlPlaneThatServesOthers) {
  const Mesh external = example("external-control-plane");
  EXPECT_EQ(external.istio.system_namespace, "external-istiod");
  EXPECT_EQ(external.istio.ingress_namespace, "istio-system");
  const Mesh usual = example("one-network");
  EXPECT_EQ(usual.istio.system_namespace, usual.istio.ingress_namespace);
}

TEST(Discovery, OfManyByDefaultIsRefusedOnlyWhenTheMeshIsInstalled) {
  std::string spec = "  istio: {version: \"1.30.3\"}\n  clusters:\n";
  for (int i = 0; i < 51; ++i) {
    spec += fmt::format("  - {{name: c{0}, network: n{0}}}\n", i);
  }
  const base::Errors errors = refuse_to_install(mesh_of(spec));
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors.front().message, testing::HasSubstr("2550 remote secrets"));
  EXPECT_THAT(refuse_to_install(mesh_of("  discovery: none\n" + spec)), IsEmpty());
}

TEST(Reader, CannotReadSecretsWhereIstiodIsToldNotToAsk) {
  const std::string clusters =
      "  clusters:\n  - {name: east, network: n1}\n  - {name: west, network: n1}\n";
  const auto role = [&clusters](const std::string& istio) {
    const Mesh mesh = mesh_of("  istio: {" + istio + "}\n" + clusters);
    return reader_role(mesh, mesh.clusters.front());
  };
  const std::string told =
      "values: {pilot: {env: {PILOT_ENABLE_REMOTE_CREDENTIALS_CONTROLLER: \"false\"}}}";
  EXPECT_EQ(role("version: \"1.31.0\""), ReaderRole::kIstio);
  EXPECT_EQ(role("version: \"1.31.0\", " + told), ReaderRole::kOwn);
  EXPECT_EQ(role("version: \"1.30.3\", " + told), ReaderRole::kIstio);

  const Mesh mesh = mesh_of("  istio: {version: \"1.31.0\", " + told + "}\n" + clusters);
  const auto objects = reader(mesh, mesh.clusters.front());
  ASSERT_EQ(objects.size(), 3U);
  EXPECT_EQ(objects[1].name, "meshtrust-reader-istio-system");
  EXPECT_EQ(objects[1].body.dump().find("\"secrets\""), std::string::npos);
  const auto istios = istio_reader(mesh, mesh.clusters.front(), ReaderOf::kManagedRemote);
  EXPECT_NE(istios[1].body.dump().find("\"secrets\""), std::string::npos);
  EXPECT_EQ(istios[1].name, "istio-reader-clusterrole-istio-system");
}

TEST(Gateway, IsOpenToTheWorldUnlessSomethingKeepsItOut) {
  EXPECT_TRUE(is_open_to_the_world({}));
  EXPECT_FALSE(is_open_to_the_world({.source_ranges = {"10.0.0.0/8"}}));
  EXPECT_TRUE(is_open_to_the_world({.source_ranges = {"10.0.0.0/8", "0.0.0.0/0"}}));
  EXPECT_FALSE(is_open_to_the_world({.type = EastWestGateway::Type::kNodePort}));
  for (const auto& [key, value] : std::map<std::string, std::string>{
           {"networking.gke.io/load-balancer-type", "Internal"},
           {"service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"},
           {"service.beta.kubernetes.io/azure-load-balancer-internal", "true"}}) {
    EXPECT_FALSE(is_open_to_the_world({.annotations = {{key, value}}})) << key;
  }
  EXPECT_TRUE(is_open_to_the_world({.annotations = {{"example.com/a", "b"}}}));
}

TEST(Gateway, TakesTheSettingsOfItsCluster) {
  const Mesh mesh = example("every-key");
  std::map<std::string, base::Json> bodies;
  for (const Object& object : east_west_gateway(mesh, mesh.clusters.front())) {
    EXPECT_EQ(object.namespace_name, "istio-system");
    bodies[object.kind] = object.body;
  }
  EXPECT_EQ(bodies["Service"]["spec"]["loadBalancerIP"], "10.1.2.3");
  EXPECT_EQ(bodies["Service"]["spec"]["loadBalancerSourceRanges"].size(), 2U);
  EXPECT_EQ(bodies["Service"]["metadata"]["annotations"].size(), 1U);
  EXPECT_EQ(bodies["HorizontalPodAutoscaler"]["spec"]["maxReplicas"], 8);
  EXPECT_EQ(bodies["PodDisruptionBudget"]["spec"]["minAvailable"], 1);
  EXPECT_EQ(bodies["Deployment"]["spec"]["template"]["metadata"]["labels"]["istio.io/rev"],
            "stable");
}

}  // namespace
}  // namespace meshtrust::profiles
