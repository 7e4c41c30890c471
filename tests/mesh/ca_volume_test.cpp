// From where an istiod reads its CA, by the specification of its pod.

#include "mesh/ca_volume.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ostream>
#include <string>

namespace meshtrust::mesh {
namespace {

using base::Json;

/// The volumes and mounts of one istiod, and what is said of them; nothing where it is the Secret.
struct VolumeCase {
  const char* name;
  Json volumes;
  Json mounts;
  const char* said;
  Json env = Json::array();
};

std::ostream& operator<<(std::ostream& out, const VolumeCase& one) {
  return out << one.name;
}

Json at(const char* path, const char* volume = "cacerts") {
  return {{"name", volume}, {"mountPath", path}};
}
Json volume(const char* kind, Json content, const char* name = "cacerts") {
  return {{"name", name}, {kind, std::move(content)}};
}
Json usual() {
  return volume("secret", {{"secretName", "cacerts"}, {"optional", true}});
}

const VolumeCase kCases[] = {
    {"as-the-charts-have-it", {usual()}, {at("/etc/cacerts")}, ""},
    {"with-a-slash", {usual()}, {at("/etc/cacerts/")}, ""},
    {"projected-from-the-secret-alone",
     {volume("projected", {{"sources", {{{"secret", {{"name", "cacerts"}}}}}}})},
     {at("/etc/cacerts")},
     ""},
    {"of-a-driver",
     {volume("csi", {{"driver", "secrets-store.csi.k8s.io"}, {"readOnly", true}})},
     {at("/etc/cacerts")},
     "csi volume 'cacerts' (driver 'secrets-store.csi.k8s.io') of deployment 'istiod', mounted at "
     "/etc/cacerts"},
    {"another-secret",
     {volume("secret", {{"secretName", "vault-ca"}})},
     {at("/etc/cacerts")},
     "secret volume 'cacerts' (secret 'vault-ca') of deployment 'istiod', mounted at /etc/cacerts"},
    {"projected-from-another-secret",
     {volume("projected", {{"sources", {{{"secret", {{"name", "vault-ca"}}}}}}})},
     {at("/etc/cacerts")},
     "projected volume 'cacerts' (secret 'vault-ca') of deployment 'istiod', mounted at "
     "/etc/cacerts"},
    {"projected-from-two-secrets",
     {volume(
         "projected",
         {{"sources", {{{"secret", {{"name", "cacerts"}}}}, {{"secret", {{"name", "more"}}}}}}})},
     {at("/etc/cacerts")},
     "projected volume 'cacerts' of deployment 'istiod', mounted at /etc/cacerts"},
    {"a-config-map-called-like-the-secret",
     {volume("configMap", {{"name", "cacerts"}})},
     {at("/etc/cacerts")},
     "configMap volume 'cacerts' (configmap 'cacerts') of deployment 'istiod', mounted at "
     "/etc/cacerts"},
    {"of-the-node",
     {volume("hostPath", {{"path", "/etc/istio"}}, "ca")},
     {at("/etc/cacerts", "ca")},
     "hostPath volume 'ca' (path '/etc/istio') of deployment 'istiod', mounted at /etc/cacerts"},
    {"filled-by-an-init-container",
     {volume("emptyDir", {{"medium", "Memory"}})},
     {at("/etc/cacerts")},
     "emptyDir volume 'cacerts' of deployment 'istiod', mounted at /etc/cacerts"},
    {"the-secret-is-there-and-mounted-elsewhere",
     {usual(), volume("csi", {{"driver", "csi.cert-manager.io"}}, "ca")},
     {at("/etc/old", "cacerts"), at("/etc/cacerts", "ca")},
     "csi volume 'ca' (driver 'csi.cert-manager.io') of deployment 'istiod', mounted at "
     "/etc/cacerts"},
    {"one-file-over-the-secret",
     {usual(), volume("secret", {{"secretName", "vault-key"}}, "key")},
     {at("/etc/cacerts"), at("/etc/cacerts/ca-key.pem", "key")},
     "secret volume 'key' (secret 'vault-key') of deployment 'istiod', mounted at /etc/cacerts"},
    {"around-it",
     {volume("hostPath", {{"path", "/srv"}}, "all")},
     {at("/etc", "all")},
     "hostPath volume 'all' (path '/srv') of deployment 'istiod', mounted at /etc/cacerts"},
    {"the-nearest-counts",
     {volume("hostPath", {{"path", "/srv"}}, "all"), usual()},
     {at("/etc", "all"), at("/etc/cacerts")},
     ""},
    {"beside-it-alone",
     {usual(), volume("secret", {{"secretName", "more"}}, "more")},
     {at("/etc/cacerts"), at("/etc/cacerts-of-others", "more")},
     ""},
    {"nothing-there",
     {usual()},
     Json::array(),
     "nothing, for deployment 'istiod' mounts nothing at /etc/cacerts"},
    {"in-another-folder",
     {usual(), volume("csi", {{"driver", "d"}}, "ca")},
     {at("/etc/cacerts"), at("/vault/ca", "ca")},
     "csi volume 'ca' (driver 'd') of deployment 'istiod', mounted at /vault/ca",
     {{{"name", "ROOT_CA_DIR"}, {"value", "/vault/ca/"}}}},
    {"in-the-usual-folder-by-its-relative-name",
     {usual()},
     {at("/etc/cacerts")},
     "",
     {{{"name", "ROOT_CA_DIR"}, {"value", "./etc/cacerts"}}}},
    {"a-volume-that-is-not-declared",
     Json::array(),
     {at("/etc/cacerts")},
     "volume 'cacerts' of deployment 'istiod', mounted at /etc/cacerts"},
    {"words-for-a-terminal",
     {volume("csi", {{"driver", "\x1b[31mred"}})},
     {at("/etc/cacerts")},
     "csi volume 'cacerts' (driver '?[31mred') of deployment 'istiod', mounted at /etc/cacerts"},
};

class OtherCa : public ::testing::TestWithParam<VolumeCase> {};

TEST_P(OtherCa, IsToldByItsVolumeAndKind) {
  const VolumeCase& one = GetParam();
  const Json spec = {{"containers",
                      {{{"name", "istio-proxy"}},
                       {{"name", "discovery"}, {"volumeMounts", one.mounts}, {"env", one.env}}}},
                     {"volumes", one.volumes}};
  auto other = other_ca_in(spec);
  if (other) other->workload = "deployment 'istiod'";
  EXPECT_EQ(other ? describe(*other) : "", one.said);
}

INSTANTIATE_TEST_SUITE_P(Cases, OtherCa, ::testing::ValuesIn(kCases), [](const auto& one) {
  std::string name = one.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(OtherCaOf, IsNotToldWithoutAContainer) {
  EXPECT_FALSE(other_ca_in(Json::object()));
  EXPECT_FALSE(other_ca_in({{"containers", Json::array()}}));
}

}  // namespace
}  // namespace meshtrust::mesh
