#include "tests/mesh/trust_builder.h"

#include "istio/names.h"
#include "profiles/load.h"
#include "profiles/trust_objects.h"
#include "tests/support/golden.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::mesh::testing {

std::string pem(const std::string& name) {
  return test::content_of(test::test_file("data/trust/" + name + ".pem"));
}

std::string root_mark(const std::string& name) {
  return istio::root_label_value(
      pki::certificates_from_pem(pem(name)).value().front().fingerprint());
}

profiles::Mesh shop(const std::vector<std::string>& names,
                    const std::string& trust,
                    const std::string& clusters) {
  std::string text =
      "apiVersion: meshtrust/v1\n"
      "kind: Mesh\n"
      "metadata: {name: shop}\n"
      "spec:\n"
      "  trust:\n"
      "    root: {subject: {organization: Shop, commonName: Shop Mesh Root}}\n";
  if (!trust.empty()) text += "    " + trust + "\n";
  text += "  clusters:\n";
  for (const std::string& name : names) {
    text += fmt::format("  - {{name: {0}, network: {0}}}\n", name);
  }
  const auto mesh = profiles::load_mesh("mesh.yaml", text + clusters);
  if (!mesh) ADD_FAILURE() << mesh.error().front().message;
  return mesh.value();
}

ClusterObservation bare(const std::string& name) {
  ClusterObservation seen;
  seen.name = name;
  seen.context = name;
  seen.server = ServerFacts{.url = "https://" + name + ".example:6443",
                            .ca = "sha256:" + std::string(64, 'c'),
                            .version = "v1.30.2",
                            .major = 1,
                            .minor = 30,
                            .cluster_uid = "uid-" + name};
  seen.system_namespace = Absent{};
  seen.cacerts = Absent{};
  seen.twin = Absent{};
  seen.istiod = Absent{};
  seen.other_ca = Absent{};
  seen.workload_roots = Absent{};
  seen.trust_domain = Absent{};
  return seen;
}

ClusterObservation applied(const profiles::Mesh& mesh,
                           const std::string& name,
                           const std::string& certificate,
                           const std::string& root) {
  const istio::PublicBundle bundle{
      .ca_cert = pem(certificate), .cert_chain = pem(certificate), .root_cert = pem(root)};
  const profiles::Cluster* cluster = mesh.find(name);
  ClusterObservation seen = bare(name);
  seen.system_namespace = NamespaceFacts{.network = cluster->network,
                                         .terminating = false,
                                         .created_by_meshtrust = true,
                                         .mesh = mesh.name,
                                         .root = root_mark(root)};
  seen.cacerts =
      CacertsFacts{.resource_version = "7",
                   .files = {"ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"},
                   .certificates = bundle,
                   .key = istio::KeyMatch::kMatches,
                   .managers = {"meshtrust"}};
  seen.twin = TwinFacts{.data = profiles::twin_data(mesh, *cluster, bundle),
                        .mesh = mesh.name,
                        .root = root_mark(root)};
  return seen;
}

IssuedFacts issued(const std::string& cluster, const std::string& state) {
  const auto certificate = pki::certificates_from_pem(pem(cluster)).value().front();
  const auto root = pki::certificates_from_pem(pem("root")).value().front();
  return {.fingerprint = certificate.fingerprint(),
          .is_root = cluster == "root",
          .cluster = cluster == "root" ? "" : cluster,
          .issuer = root.fingerprint(),
          .serial = certificate.facts().serial,
          .state = state,
          .revoked = false,
          .not_after = certificate.facts().not_after};
}

StoreFacts store(const std::vector<std::string>& clusters) {
  StoreFacts facts{.root = pem("root"),
                   .declared_subject = "O=Shop,CN=Shop Mesh Root",
                   .key_is_encrypted = true,
                   .issued = {issued("root", "minted")},
                   .roots = {pem("root")},
                   .lists = {},
                   .without_list = {}};
  for (const std::string& cluster : clusters) {
    facts.issued.push_back(issued(cluster));
  }
  return facts;
}

ClusterObservation& Scene::cluster(const std::string& name) {
  return *std::find_if(observation.clusters.begin(), observation.clusters.end(),
                       [&name](const auto& one) { return one.name == name; });
}

CaVolume csi_volume() {
  return {.workload = "deployment 'istiod'",
          .folder = "/etc/cacerts",
          .volume = "cacerts",
          .kind = "csi",
          .source = "driver 'secrets-store.csi.k8s.io'"};
}

void lose_cacerts(Scene& scene, const std::string& name) {
  scene.cluster(name).cacerts = Absent{};
  scene.cluster(name).istiod =
      IstiodFacts{.deployments = {"istiod"}, .image = "docker.io/istio/pilot:1.30.3"};
}

void mount_ca(Scene& scene, const std::string& name, const std::vector<std::string>& published) {
  lose_cacerts(scene, name);
  scene.cluster(name).twin = Absent{};
  scene.cluster(name).other_ca = csi_volume();
  std::string roots;
  for (const std::string& root : published) {
    roots += pem(root);
  }
  if (!roots.empty()) scene.cluster(name).workload_roots = roots;
}

Scene fresh_scene(const std::vector<std::string>& names) {
  Scene scene{.mesh = shop(names),
              .observation = {.at = kNow, .mesh = "shop", .store = Absent{}, .clusters = {}}};
  for (const std::string& name : names) {
    scene.observation.clusters.push_back(bare(name));
  }
  return scene;
}

Scene applied_scene(const std::vector<std::string>& names) {
  Scene scene = fresh_scene(names);
  scene.observation.store = store(names);
  for (const std::string& name : names) {
    scene.cluster(name) = applied(scene.mesh, name);
  }
  return scene;
}

std::string describe(const Answer& answer) {
  std::string text;
  for (const Finding& finding : answer.findings) {
    text += fmt::format("{} {} [{}]: {}\n", name_of(finding.severity),
                        finding.cluster.empty() ? "mesh" : finding.cluster, finding.code,
                        finding.message);
    for (const std::string& fact : finding.evidence) {
      text += "  seen: " + fact + "\n";
    }
    for (const std::string& hint : finding.hints) {
      text += "  hint: " + hint + "\n";
    }
    if (finding.place.line != 0) {
      text += fmt::format("  at {}:{}:{} '{}'\n", finding.place.file, finding.place.line,
                          finding.place.column, finding.place.source_line);
    }
  }
  for (const base::Error& why : answer.unknowns) {
    text += fmt::format("unknown ({}): {}\n", base::name_of(why.code), why.message);
    for (const std::string& hint : why.hints) {
      text += "  hint: " + hint + "\n";
    }
  }
  return text;
}

std::string ask(std::string_view check, const Scene& scene) {
  const auto checks = trust_checks();
  const auto found = std::find_if(checks.begin(), checks.end(),
                                  [check](const Check& one) { return one.id == check; });
  if (found == checks.end()) return "there is no such check";
  Answer answer;
  found->ask({.mesh = scene.mesh,
              .observation = scene.observation,
              .at = scene.at,
              .purpose = scene.purpose,
              .left_out = scene.left_out},
             answer);
  return describe(answer);
}

Planned plan(const Scene& scene) {
  return plan_trust(scene.mesh, scene.observation, {.at = scene.at, .left_out = scene.left_out});
}

}  // namespace meshtrust::mesh::testing
