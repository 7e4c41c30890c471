#include "profiles/load.h"

#include "base/check.h"
#include "base/utf8.h"
#include "base/yaml.h"
#include "profiles/merge.h"
#include "profiles/model.h"
#include "profiles/reading.h"
#include "profiles/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace meshtrust::profiles {
namespace {

// Everything below is called on a file that was found sound, so what it reads is there and right.

std::string text_or(const Value& value, const std::string& fallback) {
  return value.is_given() ? value.text : fallback;
}

base::Seconds seconds_of(const Value& value) {
  return base::parse_duration(value.text).value();
}

pki::KeyAlgorithm algorithm_of(const Value& value) {
  const auto algorithm = pki::key_algorithm_from_name(value.text);
  MESHTRUST_CHECK(algorithm.has_value());
  return *algorithm;
}

template <class Enum>
Enum word_of(const Value& value, std::span<const Enum> words) {
  const auto word = std::find_if(words.begin(), words.end(),
                                 [&](Enum candidate) { return name_of(candidate) == value.text; });
  MESHTRUST_CHECK(word != words.end());
  return *word;
}

/// Most significant first, as a distinguished name is encoded.
pki::DistinguishedName subject_of(const Value& subject, const std::string& mesh_name) {
  if (!subject.is_given()) {
    return {.attributes = {{"O", mesh_name}, {"CN", mesh_name + " Root CA"}}};
  }
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kTypes{{
      {"country", "C"},
      {"state", "ST"},
      {"locality", "L"},
      {"organization", "O"},
      {"organizationalUnit", "OU"},
      {"commonName", "CN"},
  }};
  pki::DistinguishedName name;
  for (const auto& [key, type] : kTypes) {
    if (subject[key].is_given()) {
      name.attributes.push_back({.type = std::string(type), .value = subject[key].text});
    }
  }
  return name;
}

RootProfile root_of(const Value& root, const std::string& mesh_name, const Report& file) {
  return {.key = algorithm_of(root["key"]),
          .lifetime = seconds_of(root["lifetime"]),
          .subject = subject_of(root["subject"], mesh_name),
          .place = file.place(root.at),
          .subject_place = file.place(root["subject"].at),
          .key_place = file.place(root["key"].at)};
}

IntermediateProfile intermediate_of(const Value& intermediate, const Report& file) {
  return {.key = algorithm_of(intermediate["key"]),
          .lifetime = seconds_of(intermediate["lifetime"]),
          .renew_before = seconds_of(intermediate["renewBefore"]),
          .place = file.place(intermediate.at)};
}

std::optional<CrlProfile> crl_of(const Value& crl, const Report& file) {
  if (!crl.is_given()) return std::nullopt;
  return CrlProfile{.lifetime = seconds_of(crl["lifetime"]),
                    .refresh = crl["refresh"].text,
                    .place = file.place(crl.at)};
}

TrustProfile trust_of(const Value& trust, const std::string& mesh_name, const Report& file) {
  return {.mode = word_of(trust["mode"], all_trust_modes()),
          .store = text_or(trust["store"], mesh_name + ".trust"),
          .root = root_of(trust["root"], mesh_name, file),
          .intermediate = intermediate_of(trust["intermediate"], file),
          .crl = crl_of(trust["crl"], file),
          .store_place = file.place(trust["store"].at)};
}

Values values_of(const Value& value, const Report& file) {
  Values values;
  if (!value.is_given()) return values;
  values.json = value.free.json;
  for (const auto& [path, at] : value.free.places) {
    values.places.emplace(path, file.place(at));
  }
  return values;
}

IstioProfile istio_of(const Value& istio, const Report& file) {
  IstioProfile profile{.version = std::nullopt,
                       .backend = word_of(istio["backend"], all_backends()),
                       .system_namespace = istio["namespace"].text,
                       .ingress_namespace = istio["namespace"].text,
                       .revision = istio["revision"].text,
                       .data_plane = word_of(istio["dataPlane"], all_data_planes()),
                       .values = values_of(istio["values"], file),
                       .gateway = values_of(istio["gateway"], file),
                       .version_place = file.place(istio["version"].at),
                       .namespace_place = file.place(istio["namespace"].at),
                       .revision_place = file.place(istio["revision"].at),
                       .data_plane_place = file.place(istio["dataPlane"].at)};
  if (istio["version"].is_given()) {
    profile.version = istio::parse_version(istio["version"].text).value();
  }
  return profile;
}

SamplesProfile samples_of(const Value& samples) {
  const Value& images = samples["images"];
  return {.hub = text_or(samples["hub"], {}),
          .helloworld_v1 = text_or(images["helloworldV1"], {}),
          .helloworld_v2 = text_or(images["helloworldV2"], {}),
          .curl = text_or(images["curl"], {})};
}

/// Lays what a mapping says over what was said further out.
void read_gateway(const Value& value, const Report& file, EastWestGateway& gateway) {
  if (!value.is_given()) return;
  gateway.place = file.place(value.at);
  if (value["type"].is_given()) gateway.type = word_of(value["type"], all_gateway_types());
  for (const auto& [key, annotation] : value["annotations"].keys) {
    gateway.annotations[key] = annotation.text;
  }
  if (value["sourceRanges"].is_given()) {
    gateway.source_ranges.clear();
    for (const Value& range : value["sourceRanges"].items) {
      gateway.source_ranges.push_back(range.text);
    }
  }
  if (value["address"].is_given()) gateway.address = value["address"].text;
  if (value["pinHostname"].is_given()) gateway.pin_hostname = value["pinHostname"].text == "true";
}

std::optional<std::string> optional_text(const Value& value) {
  return value.is_given() ? std::optional(value.text) : std::nullopt;
}

ExternalHosting external_of(const Value& value, const Report& file) {
  return {.host = optional_text(value["host"]),
          .ip = optional_text(value["ip"]),
          .tls_secret = optional_text(value["tlsSecret"]),
          .place = file.place(value.at)};
}

Discovery discovery_of(const Value& value, const Report& file) {
  Discovery discovery{.mode = Discovery::Mode::kAll,
                      .is_stated = value.is_given(),
                      .lists = {},
                      .place = file.place(value.at)};
  if (value.text == "none") discovery.mode = Discovery::Mode::kNone;
  if (value.keys.empty()) return discovery;
  discovery.mode = Discovery::Mode::kListed;
  for (const auto& [cluster, list] : value.keys) {
    for (const Value& other : list.items) {
      discovery.lists[cluster].push_back(other.text);
    }
  }
  return discovery;
}

/// "host:6443" and "https://host:6443/" as "https://host:6443".
std::string server_url(const std::string& text) {
  std::string url = text.starts_with("https://") ? text : "https://" + text;
  while (url.ends_with('/')) {
    url.pop_back();
  }
  return url;
}

/// The user's values for a cluster: those of the defaults, and its own over them.
Values cluster_values(const Value& entry, const Value& defaults, const Report& file) {
  Values values = values_of(defaults["values"], file);
  const Values own = values_of(entry["values"], file);
  merge_values(values.json, own.json);
  for (const auto& [path, place] : own.places) {
    values.places.insert_or_assign(path, place);
  }
  return values;
}

Cluster cluster_of(const Value& entry, const Value& spec, const Report& file) {
  const Value& defaults = spec["defaults"];
  const auto value = [&](std::string_view key) -> const Value& {
    return in_force(entry, defaults, key);
  };
  Cluster cluster{.name = entry["name"].text,
                  .context = text_or(value("context"), entry["name"].text),
                  .kubeconfig = std::nullopt,
                  .network = value("network").text,
                  .role = word_of(value("role"), all_roles()),
                  .values = cluster_values(entry, defaults, file),
                  .file = optional_text(value("file")),
                  .place = file.place(entry["name"].at),
                  .context_place = file.place(value("context").at),
                  .network_place = file.place(value("network").at),
                  .role_place = file.place(value("role").at),
                  .control_plane_place = file.place(value("controlPlane").at),
                  .api_server_place = file.place(entry["apiServer"].at),
                  .file_place = file.place(value("file").at)};
  if (value("kubeconfig").is_given()) cluster.kubeconfig = value("kubeconfig").text;
  if (entry["apiServer"].is_given()) cluster.api_server = server_url(entry["apiServer"].text);
  cluster.gateway.place = cluster.place;
  for (const Value* scope : {&spec, &defaults, &entry}) {
    read_gateway((*scope)["eastWestGateway"], file, cluster.gateway);
  }
  if (cluster.role == Role::kExternal) cluster.external = external_of(entry["external"], file);
  if (cluster.runs_istiod()) return cluster;
  for (const Value& primary : value("controlPlane").items) {
    cluster.control_plane.push_back(primary.text);
  }
  return cluster;
}

Mesh mesh_of(const Value& document, const Report& file) {
  const Value& spec = document["spec"];
  const std::string& name = document["metadata"]["name"].text;
  Mesh mesh{.name = name,
            .mesh_id = text_or(spec["meshID"], name),
            .trust_domain = spec["trustDomain"].text,
            .topology = std::nullopt,
            .trust = trust_of(spec["trust"], name, file),
            .istio = istio_of(spec["istio"], file),
            .samples = samples_of(spec["samples"]),
            .discovery = discovery_of(spec["discovery"], file),
            .clusters = {},
            .trust_domain_place = file.place(spec["trustDomain"].at),
            .mesh_id_place = file.place(spec["meshID"].at),
            .topology_place = file.place(spec["topology"].at)};
  if (spec["topology"].is_given()) mesh.topology = word_of(spec["topology"], all_topologies());
  for (const Value& entry : spec["clusters"].items) {
    mesh.clusters.push_back(cluster_of(entry, spec, file));
    if (mesh.clusters.back().role != Role::kExternal) continue;
    // A control plane for others has its name of the namespace in every cluster that it serves.
    mesh.istio.system_namespace = entry["external"]["namespace"].text;
  }
  return mesh;
}

bool is_empty(const std::vector<base::YamlNode>& documents) {
  return documents.empty() ||
         (documents.size() == 1 && documents.front().kind == base::YamlNode::Kind::kNull);
}

/// The line is not shown: it is not text.
base::Error not_utf8(std::string_view file, std::string_view before) {
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  base::Error error{.code = base::Code::kInvalidInput, .message = "not UTF-8"};
  error.place.file = file;
  error.place.line = static_cast<int>(line);
  return error;
}

}  // namespace

base::Result<Mesh, base::Errors> load_mesh(std::string_view file, std::string_view text) {
  if (const auto offset = base::find_non_utf8(text); offset != std::string_view::npos) {
    return base::fail(base::Errors{not_utf8(file, text.substr(0, offset))});
  }
  auto documents = base::parse_yaml(file, text);
  if (!documents) return base::fail(base::Errors{std::move(documents).error()});

  Report report(file, text);
  if (is_empty(*documents)) {
    report.add({}, "found no mesh, the file is empty", "'meshtrust init' writes one");
    return base::fail(report.take_errors());
  }
  if (documents->size() > 1) {
    const base::YamlNode& second = (*documents)[1];
    report.add({.line = second.line, .column = second.column},
               fmt::format("expected one document, found {}", documents->size()),
               "write each mesh into a file of its own");
  }
  const Value document = read_strictly(documents->front(), mesh_shape(), report);
  validate(document, report);
  if (!report.is_empty()) return base::fail(report.take_errors());
  Mesh mesh = mesh_of(document, report);
  if (auto errors = refuse_combinations(mesh); !errors.empty()) {
    return base::fail(std::move(errors));
  }
  return mesh;
}

}  // namespace meshtrust::profiles
