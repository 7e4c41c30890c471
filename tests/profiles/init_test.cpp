#include "profiles/init.h"

#include "base/text.h"
#include "profiles/load.h"
#include "profiles/model.h"
#include "tests/profiles/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace meshtrust::profiles {
namespace {

using testing::HasSubstr;

InitCluster of_context(std::string context) {
  return {.context = std::move(context), .name = std::nullopt, .kubeconfig = std::nullopt};
}

Mesh render_and_load(const InitRequest& request) {
  const auto text = render_mesh_file(request);
  EXPECT_TRUE(text) << text.error().message;
  auto mesh = load_mesh("mesh.yaml", *text);
  EXPECT_TRUE(mesh) << render(mesh.error());
  return std::move(mesh).value();
}

TEST(RenderMeshFile, IsTheGoldenFile) {
  const InitRequest request{
      .mesh_name = "shop",
      .clusters = {of_context("east"),
                   {.context = "kind-west", .name = "west", .kubeconfig = "west.kubeconfig"}}};
  const auto text = render_mesh_file(request);
  ASSERT_TRUE(text);
  expect_golden("golden/init.mesh.yaml", *text);
}

TEST(RenderMeshFile, KeepsContextsThatNeedQuotes) {
  const Mesh mesh =
      render_and_load({.mesh_name = "no",
                       .clusters = {of_context("1e3"),
                                    of_context("arn:aws:eks:eu-north-1:1:cluster/Shop"),
                                    of_context("a \"b\" #c"),
                                    {.context = "yes", .name = "null", .kubeconfig = "~/x: y"}}});
  EXPECT_EQ(mesh.name, "no");
  EXPECT_EQ(mesh.clusters[0].context, "1e3");
  EXPECT_EQ(mesh.clusters[0].name, "1e3");
  EXPECT_EQ(mesh.clusters[1].context, "arn:aws:eks:eu-north-1:1:cluster/Shop");
  EXPECT_EQ(mesh.clusters[1].name, "arn-aws-eks-eu-north-1-1-cluster-shop");
  EXPECT_EQ(mesh.clusters[2].name, "a-b-c");
  EXPECT_EQ(mesh.clusters[3].name, "null");
  EXPECT_EQ(mesh.clusters[3].kubeconfig, "~/x: y");
}

TEST(RenderMeshFile, MakesDerivedNamesUniqueAndGivesEachClusterItsOwnNetwork) {
  const Mesh mesh =
      render_and_load({.clusters = {of_context("shop@east"), of_context("shop/east"),
                                    of_context("shop-east-2"), of_context("shop:east")}});
  EXPECT_EQ(mesh.name, "mesh");
  EXPECT_EQ(mesh.clusters[0].name, "shop-east");
  EXPECT_EQ(mesh.clusters[1].name, "shop-east-2");
  EXPECT_EQ(mesh.clusters[2].name, "shop-east-2-2");
  EXPECT_EQ(mesh.clusters[3].name, "shop-east-3");
  EXPECT_EQ(mesh.clusters[0].network, "network1");
  EXPECT_EQ(mesh.clusters[3].network, "network4");
}

TEST(RenderMeshFile, GivesRolesAndNetworksThatMakeTheTopologyAskedFor) {
  for (const Topology topology : all_topologies()) {
    const Mesh mesh = render_and_load({.mesh_name = "shop",
                                       .clusters = {of_context("east"), of_context("west")},
                                       .topology = topology});
    EXPECT_EQ(mesh.topology, topology);
    EXPECT_EQ(derive_topology(mesh.clusters, mesh.istio.data_plane), topology);
  }
}

/// "  # key: value" as "  key: value"; prose, which is never one word and a colon, stays.
std::string without_comment_mark(std::string line) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const auto mark = line.find("# ");
  const bool is_indented_comment = mark > 0 && line.find_first_not_of(' ') == mark;
  if (!is_indented_comment || line.find("# managed: ") != std::string::npos) return line;
  const auto word = line.find_first_not_of(' ', mark + 1);
  const auto word_end = line.find_first_not_of(kLetters, word);
  const bool is_key = word_end != std::string::npos && word_end > word && line[word_end] == ':';
  return is_key ? line.erase(mark, 2) : line;
}

TEST(RenderMeshFile, TheKeysInItsCommentsAreTheRealOnes) {
  auto text = render_mesh_file({.clusters = {of_context("east"), of_context("west")}});
  ASSERT_TRUE(text);
  std::string uncommented;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    uncommented += without_comment_mark(line) + "\n";
  }
  EXPECT_NE(uncommented, *text);
  const auto mesh = load_mesh("mesh.yaml", uncommented);
  ASSERT_TRUE(mesh) << render(mesh.error()) << uncommented;
  EXPECT_EQ(mesh->topology, Topology::kMultiPrimaryMultiNetwork);
  EXPECT_TRUE(mesh->istio.version.has_value());
  EXPECT_EQ(mesh->trust.intermediate.lifetime, base::days(730));
}

TEST(RenderMeshFile, SaysWhichIstioIsToBeInstalled) {
  const Mesh mesh =
      render_and_load({.clusters = {of_context("east"), of_context("west")},
                       .istio_version = istio::Version{.major = 1, .minor = 31, .patch = 0}});
  EXPECT_EQ(mesh.istio.version->text(), "1.31.0");
}

TEST(RenderMeshFile, RefusesWhatMakesNoMesh) {
  EXPECT_THAT(
      render_mesh_file({.clusters = {of_context("a")}, .topology = Topology::kPrimaryRemote})
          .error()
          .message,
      HasSubstr("'primary-remote' is stated, but roles and networks make 'multi-primary'"));
  EXPECT_EQ(render_mesh_file({}).error().message, "a mesh needs at least one cluster");
  EXPECT_THAT(render_mesh_file({.clusters = {of_context("a"), of_context("a")}}).error().message,
              HasSubstr("context 'a' is already that of cluster 'a'"));
  EXPECT_THAT(
      render_mesh_file({.mesh_name = "My Shop", .clusters = {of_context("a")}}).error().message,
      HasSubstr("'My Shop' is not a DNS-1123 label"));
  EXPECT_THAT(render_mesh_file({.clusters = {of_context("tab\there")}}).error().message,
              HasSubstr("control characters"));
  EXPECT_THAT(
      render_mesh_file(
          {.clusters = {{.context = "a", .name = "Kubernetes", .kubeconfig = std::nullopt}}})
          .error()
          .message,
      HasSubstr("'Kubernetes' is what istiod calls a cluster without a name"));
}

TEST(ClusterNameFromContext, IsTheContextWhereThatIsALabel) {
  EXPECT_EQ(cluster_name_from_context("kind-east"), "kind-east");
  EXPECT_EQ(cluster_name_from_context("admin@Shop.EAST"), "admin-shop-east");
  EXPECT_EQ(cluster_name_from_context("--a__b--"), "a-b");
  EXPECT_EQ(cluster_name_from_context("a--b"), "a--b");
  EXPECT_EQ(cluster_name_from_context("///"), "cluster");
  EXPECT_EQ(cluster_name_from_context(std::string(62, 'a') + "/b"), std::string(62, 'a'));
}

TEST(ProposeMeshName, SaysWhereItIsAndWhichClusters) {
  const std::vector<std::string> contexts{"kind-east", "kind-west"};
  const std::string shop = propose_mesh_name("Shop Mesh", contexts, {"https://a", "https://b"});
  EXPECT_EQ(shop, "shop-mesh-b387");
  EXPECT_EQ(propose_mesh_name("Shop Mesh", contexts, {"https://b", "https://a"}), shop)
      << "in any order";
  EXPECT_NE(propose_mesh_name("Shop Mesh", contexts, {"https://a", "https://c"}), shop)
      << "another team's clusters";
  EXPECT_EQ(propose_mesh_name("", contexts, {"https://a", "https://b"}),
            "kind-east-kind-west-b387");
}

TEST(ProposeMeshName, IsALabelWhateverTheFolder) {
  for (const std::string& folder : {std::string(300, 'a'), std::string(57, 'a') + "-b",
                                    std::string("\xff\x1b[2J"), std::string("...")}) {
    const std::string name = propose_mesh_name(folder, {}, {});
    EXPECT_TRUE(base::is_dns_label(name)) << name;
  }
}

}  // namespace
}  // namespace meshtrust::profiles
