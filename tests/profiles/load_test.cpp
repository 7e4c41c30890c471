#include "profiles/load.h"

#include "base/text.h"
#include "istio/names.h"
#include "profiles/model.h"
#include "tests/profiles/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace meshtrust::profiles {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Mesh load_good(const std::string& name) {
  auto mesh = load_mesh("mesh.yaml", read_test_file("data/mesh/good/" + name + ".yaml"));
  EXPECT_TRUE(mesh) << name;
  return std::move(mesh).value();
}

TEST(LoadMesh, FillsInTheDefaultsOfTheContract) {
  const Mesh mesh = load_good("smallest");
  EXPECT_EQ(mesh.name, "shop");
  EXPECT_EQ(mesh.mesh_id, "shop");
  EXPECT_EQ(mesh.trust_domain, "cluster.local");
  EXPECT_EQ(mesh.topology, std::nullopt);
  EXPECT_EQ(mesh.trust.mode, TrustMode::kManaged);
  EXPECT_EQ(mesh.trust.store, "shop.trust");
  EXPECT_EQ(mesh.trust.root.key, pki::KeyAlgorithm::kEcdsaP256);
  EXPECT_EQ(mesh.trust.root.lifetime, base::days(3650));
  EXPECT_THAT(
      mesh.trust.root.subject.attributes,
      ElementsAre(pki::NameAttribute{"O", "shop"}, pki::NameAttribute{"CN", "shop Root CA"}));
  EXPECT_EQ(mesh.trust.intermediate.key, pki::KeyAlgorithm::kEcdsaP256);
  EXPECT_EQ(mesh.trust.intermediate.lifetime, base::days(730));
  EXPECT_EQ(mesh.trust.intermediate.renew_before, base::days(180));
  EXPECT_EQ(mesh.istio.version, std::nullopt);
  EXPECT_EQ(mesh.istio.system_namespace, "istio-system");
  ASSERT_EQ(mesh.clusters.size(), 1U);
  EXPECT_EQ(mesh.clusters[0].context, "east");
  EXPECT_EQ(mesh.clusters[0].kubeconfig, std::nullopt);
  EXPECT_EQ(mesh.clusters[0].role, Role::kPrimary);
  EXPECT_THAT(mesh.clusters[0].control_plane, IsEmpty());
}

TEST(LoadMesh, ReadsEveryKey) {
  const Mesh mesh = load_good("every_key");
  EXPECT_EQ(mesh.mesh_id, "Shop_mesh.1");
  EXPECT_EQ(mesh.trust_domain, "shop.example");
  EXPECT_EQ(mesh.topology, Topology::kPrimaryRemoteMultiNetwork);
  EXPECT_EQ(mesh.trust.store, "/var/lib/shop trust");
  EXPECT_EQ(mesh.trust.root.key, pki::KeyAlgorithm::kRsa4096);
  EXPECT_THAT(
      mesh.trust.root.subject.attributes,
      ElementsAre(pki::NameAttribute{"C", "NO"}, pki::NameAttribute{"ST", "Vestland"},
                  pki::NameAttribute{"L", "Bergen"}, pki::NameAttribute{"O", "Shop"},
                  pki::NameAttribute{"OU", "Platform"}, pki::NameAttribute{"CN", "Shop Mesh Røt"}));
  EXPECT_EQ(mesh.trust.intermediate.key, pki::KeyAlgorithm::kEcdsaP384);
  EXPECT_EQ(base::format_duration(mesh.trust.intermediate.lifetime), "90d12h30m10s");
  EXPECT_EQ(mesh.trust.intermediate.renew_before, base::days(30));
  ASSERT_TRUE(mesh.trust.crl);
  EXPECT_EQ(mesh.trust.crl->lifetime, base::days(45));
  EXPECT_EQ(mesh.trust.crl->refresh, "cronjob ops/meshtrust-apply, every night");
  EXPECT_EQ(mesh.istio.version, (istio::Version{1, 27, 0}));
  EXPECT_EQ(mesh.istio.system_namespace, "istio-shop");
  EXPECT_EQ(mesh.samples.hub, "mirror.shop.example:5000/istio");
  EXPECT_EQ(mesh.samples.helloworld_v1, "mirror.shop.example/hello:v1");
  EXPECT_EQ(mesh.samples.helloworld_v2, "mirror.shop.example/hello@sha256:00");
  EXPECT_EQ(mesh.samples.curl, "mirror.shop.example/curl:8.16.0");
}

TEST(LoadMesh, FillsDefaultsIntoClustersThatDoNotSayOtherwise) {
  const Mesh mesh = load_good("every_key");
  const Cluster* east = mesh.find("east");
  const Cluster* west = mesh.find("west");
  const Cluster* north = mesh.find("north");
  ASSERT_TRUE(east != nullptr && west != nullptr && north != nullptr);
  EXPECT_EQ(mesh.find("south"), nullptr);
  EXPECT_EQ(east->context, "admin");
  EXPECT_EQ(east->network, "network1");
  EXPECT_EQ(east->role, Role::kPrimary);
  EXPECT_THAT(east->control_plane, IsEmpty()) << "a default controlPlane counts for remotes only";
  EXPECT_EQ(west->context, "arn:aws:eks:eu-north-1:1:cluster/west");
  EXPECT_EQ(west->kubeconfig, "west.kubeconfig");
  EXPECT_EQ(west->network, "2");
  EXPECT_EQ(west->role, Role::kRemote);
  EXPECT_THAT(west->control_plane, ElementsAre("east"));
  EXPECT_EQ(north->network, "network1");
}

TEST(LoadMesh, PlacesPointAtTheValueOrAtTheNearestMappingThatWasWritten) {
  const Mesh mesh = load_good("from_the_contract");
  const auto shown = [](const base::Place& place) {
    return std::to_string(place.line) + ":" + std::to_string(place.column);
  };
  EXPECT_EQ(shown(mesh.trust.store_place), "6:12");
  EXPECT_EQ(shown(mesh.trust.root.place), "7:11");
  EXPECT_EQ(shown(mesh.trust.root.key_place), "7:11");
  EXPECT_EQ(shown(mesh.trust.intermediate.place), "6:5");
  EXPECT_EQ(shown(mesh.trust_domain_place), "5:3");
  EXPECT_EQ(shown(mesh.clusters[1].place), "11:12");
  EXPECT_EQ(shown(mesh.clusters[1].network_place), "11:47");
  EXPECT_EQ(mesh.clusters[0].network_place.source_line,
            "  - {name: east, context: kind-east, network: network1}");
  EXPECT_EQ(mesh.clusters[0].network_place.file, "mesh.yaml");
}

TEST(LoadMesh, ReadsAThousandClusters) {
  std::string text =
      "apiVersion: meshtrust/v1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n  clusters:\n";
  for (int i = 0; i < 1000; ++i) {
    const std::string number = std::to_string(i);
    text += "  - {name: c" + number + ", context: x" + number + ", network: n" + number + "}\n";
  }
  const auto mesh = load_mesh("mesh.yaml", text);
  ASSERT_TRUE(mesh) << render(mesh.error());
  EXPECT_EQ(mesh->clusters.size(), 1000U);
  EXPECT_EQ(mesh->clusters.back().network_place.line, 1005);
}

bool is_any_primary(const std::vector<Cluster>& clusters) {
  return std::any_of(clusters.begin(), clusters.end(),
                     [](const Cluster& cluster) { return cluster.role == Role::kPrimary; });
}

/// What every answer of the loader is: a mesh with a primary, or errors that say where.
bool is_sound_or_explained(const base::Result<Mesh, base::Errors>& mesh) {
  if (mesh) return !mesh->name.empty() && is_any_primary(mesh->clusters);
  const base::Errors& errors = mesh.error();
  return !errors.empty() && std::all_of(errors.begin(), errors.end(), [](const auto& error) {
    return error.place.line > 0 && !error.message.empty();
  });
}

TEST(LoadMesh, SurvivesWhatItIsGiven) {
  const std::string whole = read_test_file("data/mesh/good/every_key.yaml");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto mesh = load_mesh("mesh.yaml", std::string_view(whole).substr(0, length));
    EXPECT_TRUE(is_sound_or_explained(mesh)) << length;
  }
  std::mt19937 random(20261121);  // NOLINT(cert-msc51-cpp): the same mutations on every run
  constexpr std::string_view kBytes = "{}[]:,-&*!|>'\"%@`#?~ \t\n\r0aZ\xff\xc2\x80<=.";
  for (int round = 0; round < 3000; ++round) {
    std::string text = whole;
    for (int change = 0; change < 4; ++change) {
      const std::size_t at = random() % text.size();
      const char byte = kBytes[random() % kBytes.size()];
      switch (random() % 3) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.insert(at, 1, byte);
          break;
        default:
          text.erase(at, 1 + random() % 8);
          break;
      }
    }
    const auto mesh = load_mesh("mesh.yaml", text);
    EXPECT_TRUE(is_sound_or_explained(mesh)) << text;
  }
}

TEST(DeriveTopology, FollowsFromRolesAndNetworks) {
  const auto cluster = [](Role role, const char* network) {
    Cluster made;
    made.role = role;
    made.network = network;
    return made;
  };
  const auto derive = [](std::vector<Cluster> clusters) {
    return derive_topology(clusters, DataPlane::kSidecar);
  };
  const auto primary = Role::kPrimary;
  const auto remote = Role::kRemote;
  EXPECT_EQ(derive({cluster(primary, "a")}), Topology::kMultiPrimary);
  EXPECT_EQ(derive({cluster(primary, "a"), cluster(primary, "a")}), Topology::kMultiPrimary);
  EXPECT_EQ(derive({cluster(primary, "a"), cluster(primary, "b")}),
            Topology::kMultiPrimaryMultiNetwork);
  EXPECT_EQ(derive({cluster(primary, "a"), cluster(remote, "a")}), Topology::kPrimaryRemote);
  EXPECT_EQ(derive({cluster(primary, "a"), cluster(remote, "b")}),
            Topology::kPrimaryRemoteMultiNetwork);
  EXPECT_EQ(derive({cluster(Role::kExternal, "a"), cluster(Role::kConfig, "b")}),
            Topology::kExternalControlPlane);
  EXPECT_EQ(derive_topology(std::vector{cluster(primary, "a"), cluster(primary, "b")},
                            DataPlane::kAmbient),
            Topology::kAmbientMultiNetwork);
}

}  // namespace
}  // namespace meshtrust::profiles
