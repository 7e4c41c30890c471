// Every document that is put into the clusters of the examples, whole: tests/golden/profiles has a
// file a cluster.
#include "profiles/exposure.h"
#include "profiles/gateway.h"
#include "profiles/installation.h"
#include "profiles/istioctl.h"
#include "profiles/load.h"
#include "profiles/model.h"
#include "profiles/reader.h"
#include "profiles/reference.h"
#include "profiles/remote_secret.h"
#include "profiles/samples.h"
#include "profiles/trust_objects.h"
#include "tests/profiles/golden.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace meshtrust::profiles {
namespace {

using base::Json;

std::vector<std::string> example_names() {
  std::vector<std::string> names;
  const std::filesystem::path folder = std::string(MESHTRUST_TEST_DATA) + "/../examples";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// What the things of a mesh bear beside its name, once its root is there.
constexpr const char* kRoot = "0123456789abcdef0123456789abcdef01234567";

/// A document as it is applied.
std::string written(Json document) {
  return base::to_yaml(resolve(std::move(document), [](const std::string& name) {
    return name == kRootReference ? std::optional<std::string>(kRoot) : std::nullopt;
  }));
}

/// The documents for one cluster, one after the other, each under a line that says what it is.
class Documents {
 public:
  Documents(const Mesh& mesh, const Cluster& cluster) : mesh_(mesh), cluster_(cluster) {}

  std::string text() {
    add("namespace", written(namespace_object(mesh_, cluster_, NamespaceOwner::kMeshtrust)));
    add_installations();
    if (cluster_.role == Role::kExternal) {
      add_objects("ingress gateway", ingress_gateway(mesh_, cluster_));
      add_objects("routing", external_routing(mesh_, cluster_));
    }
    if (has_east_west_gateway(mesh_, cluster_)) {
      add_objects("gateway", east_west_gateway(mesh_, cluster_));
    }
    add_objects("exposure", exposure(mesh_, cluster_));
    if (cluster_.role != Role::kExternal) {
      add_objects("reader", reader(mesh_, cluster_));
      add_objects("samples", samples(mesh_, cluster_));
    }
    add_remote_secrets();
    return text_;
  }

 private:
  void add(const std::string& what, const std::string& document) {
    text_ += fmt::format("--- # {}\n{}", what, document);
  }

  void add_objects(const std::string& what, const std::vector<Object>& objects) {
    for (const Object& object : objects) {
      add(what, written(manifest_of(object)));
    }
  }

  void add_installations() {
    const auto runs = installations(mesh_, cluster_);
    ASSERT_TRUE(runs) << render(runs.error());
    for (const Installation& run : *runs) {
      const bool installs = run.method == Installation::Method::kInstall;
      add(fmt::format("{}: istioctl {} -f", id_of(run.kind),
                      installs ? "install" : "manifest generate"),
          istio_operator_file(run));
    }
  }

  void add_remote_secrets() {
    for (const RemoteSecretIntent& intent : remote_secrets(mesh_)) {
      if (intent.source == cluster_.name) {
        add(fmt::format("token for {}", intent.target),
            written(manifest_of(token_secret(mesh_, cluster_, service_account_of(mesh_, intent)))));
      }
      if (intent.target != cluster_.name) continue;
      const Credentials credentials{.cluster = intent.source,
                                    .server = fmt::format("https://{}.example:6443", intent.source),
                                    .ca_pem = "the CA of the API server",
                                    .token = base::Secret("token-of-the-reader")};
      const base::Secret manifest = remote_secret_manifest(remote_secret(mesh_, intent, kRoot),
                                                           *kubeconfig_text(credentials));
      add("remote secret", std::string(base::reveal(manifest, "a golden file")));
    }
  }

  const Mesh& mesh_;
  const Cluster& cluster_;
  std::string text_;
};

class Example : public testing::TestWithParam<std::string> {};

TEST_P(Example, GivesEachClusterExactlyTheseDocuments) {
  const auto mesh = load_mesh("mesh.yaml", read_test_file("../examples/" + GetParam() + ".yaml"));
  ASSERT_TRUE(mesh) << render(mesh.error());
  const std::string folder = "golden/profiles/" + GetParam();
  std::filesystem::create_directories(std::string(MESHTRUST_TEST_DATA) + "/" + folder);
  for (const Cluster& cluster : mesh->clusters) {
    expect_golden(folder + "/" + cluster.name + ".yaml", Documents(*mesh, cluster).text());
  }
}

std::string name_of_case(const testing::TestParamInfo<std::string>& example) {
  std::string name = example.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Files, Example, testing::ValuesIn(example_names()), name_of_case);

}  // namespace
}  // namespace meshtrust::profiles
