#include "profiles/installation.h"

#include "base/text.h"
#include "istio/names.h"
#include "profiles/free_value.h"
#include "profiles/merge.h"
#include "profiles/model.h"
#include "profiles/payload.h"
#include "profiles/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>

namespace meshtrust::profiles {
namespace {

using base::Error;
using base::Errors;
using base::Json;
using Kind = Installation::Kind;

/// What decides how clusters hang together: only the mesh file says it, wherever the model does not
/// set it anyway.
constexpr std::array<std::string_view, 22> kReserved{
    "profile",
    "revision",
    "env",  // what Helm takes for pilot.env
    "global.configCluster",
    "global.enableReaderRBAC",
    "global.externalIstiod",
    "global.istioNamespace",
    "global.meshID",
    "global.multiCluster.clusterName",
    "global.network",
    "global.omitSidecarInjectorConfigMap",
    "global.operatorManageWebhooks",
    "global.readerServiceAccount",
    "global.remotePilotAddress",
    "istiodRemote",
    "pilot.env.AMBIENT_ENABLE_MULTI_NETWORK",
    "pilot.env.CLUSTER_ID",
    "pilot.env.EXTERNAL_ISTIOD",
    "pilot.env.LOCAL_CLUSTER_SECRET_WATCHER",
    "pilot.env.PILOT_ENABLE_AMBIENT",
    "ztunnel.multiCluster",
    "ztunnel.network",
};

bool is_below(std::string_view path, std::string_view root) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '.');
}

bool is_reserved(std::string_view path) {
  return std::any_of(kReserved.begin(), kReserved.end(), [path](std::string_view root) {
    return is_below(path, root) || is_below(root, path);
  });
}

std::string as_words(const Json& value) {
  const Json words = shown(value);
  return base::printable(words.is_string() ? words.get<std::string>() : base::compact(words), 80);
}

/// Holds what a user wrote against what the mesh has to agree on.
class Judge {
 public:
  Judge(const Mesh& mesh, const Cluster& cluster, Kind kind)
      : cluster_(cluster), expected_(payload_of(mesh, cluster, kind).values) {
    merge_values(expected_, payload_of(mesh, cluster, kind).facts);
  }

  /// `prefix` is what stands before the paths of `values` where they were written.
  void check(const Values& values, std::string_view prefix = "") {
    for_each_leaf(values.json, [&](const std::string& path, const Json& value) {
      check_leaf(path, value, values.place_of(std::string(prefix) + path));
    });
  }

  void check_leaf(const std::string& path, const Json& value, const base::Place& place) {
    if (value.is_object()) return;  // an empty one, which says nothing
    const Json* wanted = find_path(expected_, path);
    if (wanted != nullptr) {
      if (*wanted != value) report(path, value, *wanted, place);
    } else if (const auto outer = set_above(path)) {
      report(path, value, *find_path(expected_, *outer), place);
    } else if (is_reserved(path)) {
      add(place, fmt::format("'{}' cannot be set for '{}': it follows from the mesh file", path,
                             cluster_.name));
    }
  }

  void add(const base::Place& place, std::string message, std::string hint = {}) {
    Error error{.code = base::Code::kInvalidInput, .message = std::move(message), .place = place};
    if (!hint.empty()) error.hints.push_back(std::move(hint));
    const bool is_known = std::find(errors_.begin(), errors_.end(), error) != errors_.end();
    if (!is_known) errors_.push_back(std::move(error));
  }

  Errors take() { return std::move(errors_); }

 private:
  /// The path around `path` at which the model sets something that is no mapping.
  std::optional<std::string> set_above(std::string path) const {
    for (auto dot = path.rfind('.'); dot != std::string::npos; dot = path.rfind('.')) {
      path.resize(dot);
      const Json* found = find_path(expected_, path);
      if (found != nullptr) return found->is_object() ? std::nullopt : std::optional(path);
    }
    return std::nullopt;
  }

  void report(const std::string& path,
              const Json& value,
              const Json& wanted,
              const base::Place& place) {
    add(place,
        fmt::format("'{}' is '{}', but for '{}' the mesh file makes it '{}'", path, as_words(value),
                    cluster_.name, as_words(wanted)),
        "leave it out here, or change the mesh file");
  }

  const Cluster& cluster_;
  Json expected_;
  Errors errors_;
};

/// The user's IstioOperator, checked and taken apart.
class Base {
 public:
  Base(const Mesh& mesh, Kind kind, Judge& judge) : mesh_(mesh), kind_(kind), judge_(judge) {}

  void read(const BaseFile& file) {
    auto documents = base::parse_yaml(file.name, file.text);
    if (!documents) {
      const Error& error = documents.error();
      judge_.add(error.place, error.message);
      return;
    }
    Report report(file.name, file.text);
    if (documents->size() != 1 || documents->front().kind != base::YamlNode::Kind::kMapping) {
      judge_.add(report.place({}), "expected one IstioOperator",
                 "write what each cluster is given into a file of its own");
      return;
    }
    FreeValue document = read_free(documents->front(), report);
    for (Error& error : report.take_errors()) {
      judge_.add(error.place, error.message, error.hints.empty() ? "" : error.hints.front());
    }
    file_.json = std::move(document.json);
    for (const auto& [path, at] : document.places) {
      file_.places.emplace(path, report.place(at));
    }
    check();
  }

  const Json& document() const { return file_.json; }

 private:
  void expect(const std::string& path, const std::string& wanted, bool required) {
    const Json* found = find_path(file_.json, path);
    if (found == nullptr && !required) return;
    if (found != nullptr && *found == wanted) return;
    judge_.add(file_.place_of(path),
               fmt::format("'{}' is '{}', expected '{}'", path,
                           found == nullptr ? "absent" : as_words(*found), wanted));
  }

  void check() {
    const std::string& system_namespace = mesh_.istio.system_namespace;
    expect("apiVersion", "install.istio.io/v1alpha1", true);
    expect("kind", "IstioOperator", true);
    expect("metadata.namespace", system_namespace, false);
    expect("spec.namespace", system_namespace, false);
    expect("spec.revision", mesh_.istio.revision, false);
    check_profile();
    check_part("spec.values", "");
    check_part("spec.unvalidatedValues", "");
    check_part("spec.meshConfig", "meshConfig.");
    check_env();
  }

  void check_profile() {
    const Json* found = find_path(file_.json, "spec.profile");
    if (found == nullptr) return;
    const std::string profile = as_words(*found);
    const std::string wanted = profile_of(mesh_, kind_);
    const bool is_own_choice = wanted == "minimal" && profile != "remote" && profile != "empty" &&
                               profile.find("ambient") == std::string::npos &&
                               profile != "external";
    const bool is_ambient = wanted == "ambient" && profile == "openshift-ambient";
    if (profile == wanted || is_own_choice || is_ambient) return;
    judge_.add(file_.place_of("spec.profile"),
               fmt::format("'spec.profile' is '{}', expected '{}'", profile, wanted));
  }

  void check_part(const std::string& part, const std::string& prefix) {
    const Json* found = find_path(file_.json, part);
    if (found == nullptr) return;
    for_each_leaf(*found, [&](const std::string& path, const Json& value) {
      judge_.check_leaf(prefix + path, value, file_.place_of(fmt::format("{}.{}", part, path)));
    });
  }

  /// Variables of istiod, which IstioOperator takes as a list besides.
  void check_env() {
    const std::string part = "spec.components.pilot.k8s.env";
    const Json* found = find_path(file_.json, part);
    if (found == nullptr || !found->is_array()) return;
    for (std::size_t i = 0; i < found->size(); ++i) {
      const std::string name = base::string_at((*found)[i], "name");
      const auto value = (*found)[i].is_object() ? (*found)[i].value("value", Json()) : Json();
      judge_.check_leaf("pilot.env." + name, value,
                        file_.place_of(fmt::format("{}[{}].value", part, i)));
    }
  }

  const Mesh& mesh_;
  Kind kind_;
  Judge& judge_;
  Values file_;
};

std::vector<Kind> kinds_of(const Cluster& cluster) {
  switch (cluster.role) {
    case Role::kPrimary:
      return {Kind::kIstiod};
    case Role::kRemote:
      return {Kind::kRemote};
    case Role::kConfig:
      return {Kind::kConfig};
    case Role::kExternal:
      break;
  }
  return {Kind::kIngress, Kind::kExternal};
}

/// Takes `key` out of `parent`, as a mapping.
Json take(Json& parent, const char* key) {
  if (!parent.is_object() || !parent.contains(key)) return Json::object();
  Json taken = std::move(parent[key]);
  parent.erase(key);
  return taken.is_null() ? Json::object() : taken;
}

Installation make(const Mesh& mesh, const Cluster& cluster, Kind kind, Json base) {
  const bool is_ingress = kind == Kind::kIngress;
  Installation made{
      .kind = kind,
      .method =
          kind == Kind::kConfig ? Installation::Method::kApply : Installation::Method::kInstall,
      .cluster = cluster.name,
      .namespace_name = is_ingress ? mesh.istio.ingress_namespace : mesh.istio.system_namespace,
      .revision = is_ingress ? std::string() : mesh.istio.revision,
      .version = *mesh.istio.version,
      .profile = profile_of(mesh, kind)};
  Json values = Json::object();
  if (base.is_object() && base.contains("spec")) {
    Json& spec = base["spec"];
    values = take(spec, "values");
    values["meshConfig"] = take(spec, "meshConfig");
    made.profile = base::string_at(spec, "profile", made.profile);
  }
  merge_values(values, payload_of(mesh, cluster, kind).values);
  merge_values(values, mesh.istio.values.json);
  merge_values(values, cluster.values.json);
  made.mesh_config = take(values, "meshConfig");
  made.values = std::move(values);
  made.base = std::move(base);
  return resolve(std::move(made), stated_addresses(mesh));
}

}  // namespace

std::string_view id_of(Kind kind) {
  switch (kind) {
    case Kind::kIstiod:
      return "istiod";
    case Kind::kRemote:
      return "remote";
    case Kind::kConfig:
      return "config";
    case Kind::kIngress:
      return "ingress";
    case Kind::kExternal:
      break;
  }
  return "external";
}

base::Result<std::vector<Installation>, Errors> installations(const Mesh& mesh,
                                                              const Cluster& cluster,
                                                              const std::optional<BaseFile>& file) {
  if (auto errors = refuse_to_install(mesh); !errors.empty()) return base::fail(std::move(errors));
  std::vector<Installation> result;
  Errors errors;
  for (const Kind kind : kinds_of(cluster)) {
    Judge judge(mesh, cluster, kind);
    Base base(mesh, kind, judge);
    const bool takes_file = file && kind != Kind::kIngress;
    if (takes_file) base.read(*file);
    judge.check(mesh.istio.values);
    judge.check(cluster.values);
    for (Error& error : judge.take()) {
      const bool is_known = std::find(errors.begin(), errors.end(), error) != errors.end();
      if (!is_known) errors.push_back(std::move(error));
    }
    if (errors.empty()) {
      result.push_back(make(mesh, cluster, kind, takes_file ? base.document() : Json()));
    }
  }
  if (errors.empty()) return result;
  std::stable_sort(errors.begin(), errors.end(), [](const Error& a, const Error& b) {
    return std::tie(a.place.file, a.place.line, a.place.column) <
           std::tie(b.place.file, b.place.line, b.place.column);
  });
  return base::fail(std::move(errors));
}

std::vector<std::string> references_in(const Installation& installation) {
  return references_in(Json::array({installation.values, installation.mesh_config}));
}

Installation resolve(Installation installation, const Lookup& known) {
  installation.values = resolve(std::move(installation.values), known);
  installation.mesh_config = resolve(std::move(installation.mesh_config), known);
  return installation;
}

Lookup stated_addresses(const Mesh& mesh) {
  std::map<std::string, std::string> addresses;
  for (const Cluster& cluster : mesh.clusters) {
    if (cluster.external) {
      const ExternalHosting& external = *cluster.external;
      const auto stated = external.host ? external.host
                          : external.ip ? external.ip
                                        : cluster.gateway.address;
      if (stated) addresses.emplace(ingress_address(cluster.name), *stated);
    } else if (cluster.gateway.address && has_east_west_gateway(mesh, cluster)) {
      addresses.emplace(gateway_address(cluster.name), *cluster.gateway.address);
    }
  }
  return [addresses = std::move(addresses)](const std::string& name) -> std::optional<std::string> {
    const auto found = addresses.find(name);
    return found == addresses.end() ? std::nullopt : std::optional(found->second);
  };
}

}  // namespace meshtrust::profiles
