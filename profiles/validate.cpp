#include "profiles/validate.h"

#include "base/text.h"
#include "base/time.h"
#include "profiles/environment.h"
#include "profiles/mesh.h"
#include "profiles/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace meshtrust::profiles {
namespace {

bool is_role(const Value& role, Role wanted) {
  return role.text == name_of(wanted);
}

/// Whether a cluster of this role is managed by the istiods of others.
bool is_managed(const Value& role) {
  return is_role(role, Role::kRemote) || is_role(role, Role::kConfig);
}

/// Its address family, or nothing when `text` is no IP address.
std::optional<int> family_of(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, text.c_str(), bytes.data()) == 1) return family;
  }
  return std::nullopt;
}

bool is_address_range(const std::string& text) {
  const auto slash = text.find('/');
  const auto family = family_of(text.substr(0, slash));
  const std::string length = text.substr(slash + 1);
  const bool has_leading_zero = length.size() > 1 && length.front() == '0';
  return family && !has_leading_zero && std::stoi(length) <= (*family == AF_INET ? 32 : 128);
}

/// The clusters of a mesh file, each with what holds for it.
class Rules {
 public:
  Rules(const Value& spec, Report& report)
      : spec_(spec),
        clusters_(spec["clusters"].items),
        defaults_(spec["defaults"]),
        report_(report) {}

  void check_clusters() {
    check_names();
    check_contexts();
    check_networks();
  }

  void check_roles() {
    for (const Value& cluster : clusters_) {
      check_control_plane_fits_role(cluster);
    }
    for (const Value& cluster : clusters_) {
      if (is_managed(role_of(cluster))) check_references(cluster["controlPlane"], &cluster);
    }
    check_references(defaults_["controlPlane"], nullptr);
    check_some_primary();
  }

  void check_external() {
    for (const Value& cluster : clusters_) {
      const Value& external = cluster["external"];
      const Value& role = role_of(cluster);
      if (!external.is_given() || role.is_broken()) continue;
      if (!is_role(role, Role::kExternal)) {
        report_.add(external.at, fmt::format("a {} cannot have 'external'", role.text),
                    "it says how others reach the control plane in a cluster of role external");
        continue;
      }
      check_address(external["ip"]);
      check_way_in(external);
    }
  }

  void check_addresses() {
    check_gateway(spec_["eastWestGateway"]);
    check_gateway(defaults_["eastWestGateway"]);
    for (const Value& cluster : clusters_) {
      check_gateway(cluster["eastWestGateway"]);
      check_api_server(cluster["apiServer"]);
    }
  }

  void check_discovery() {
    for (const auto& [learner, list] : spec_["discovery"].keys) {
      Value name = list;
      name.text = learner;
      check_discovery_name(name);
      for (const Value& entry : list.items) {
        if (!entry.is_given()) continue;
        check_discovery_name(entry);
        if (entry.text != learner) continue;
        report_.add(entry.at, fmt::format("cluster '{}' cannot discover itself", learner));
      }
    }
  }

  void check_topology();
  void check_lifetimes();

 private:
  const Value& role_of(const Value& cluster) const { return in_force(cluster, defaults_, "role"); }

  bool is_sound(std::string_view key) const {
    return spec_["clusters"].is_given() &&
           std::none_of(clusters_.begin(), clusters_.end(), [&](const Value& cluster) {
             return in_force(cluster, defaults_, key).is_broken();
           });
  }

  std::vector<std::string> names_of(Role role) const {
    std::vector<std::string> names;
    for (const Value& cluster : clusters_) {
      if (role_of(cluster).text == name_of(role)) names.push_back(cluster["name"].text);
    }
    return names;
  }

  void check_names() {
    std::map<std::string_view, Point> taken;
    for (const Value& cluster : clusters_) {
      const Value& name = cluster["name"];
      if (!name.is_given()) continue;
      const auto [first, is_free] = taken.emplace(name.text, name.at);
      if (is_free) continue;
      report_.add(name.at, fmt::format("a cluster called '{}' is already on line {}", name.text,
                                       first->second.line));
    }
  }

  void check_contexts() {
    std::set<std::string_view> names;
    using Source = std::pair<std::string_view, std::string_view>;
    std::map<Source, std::string_view> taken;
    for (const Value& cluster : clusters_) {
      const Value& name = cluster["name"];
      const Value& stated = in_force(cluster, defaults_, "context");
      const Value& context = stated.state == Value::State::kAbsent ? name : stated;
      const Value& kubeconfig = in_force(cluster, defaults_, "kubeconfig");
      const bool is_named_twice = !names.insert(name.text).second;
      if (!context.is_given() || !name.is_given() || kubeconfig.is_broken()) continue;
      const auto [first, is_free] = taken.emplace(Source{kubeconfig.text, context.text}, name.text);
      const bool is_reported = is_named_twice && &context == &name;
      if (is_free || is_reported) continue;
      report_.add(
          cluster["context"].is_given() ? context.at : name.at,
          fmt::format("context '{}' is already that of cluster '{}'", context.text, first->second),
          "give each cluster a context of its own");
    }
  }

  void check_networks() {
    for (const Value& cluster : clusters_) {
      if (in_force(cluster, defaults_, "network").state != Value::State::kAbsent) continue;
      report_.add(cluster.at, "missing key 'network'",
                  "network: " + find_key(mesh_shape_of_defaults(), "network")->doc);
    }
  }

  static const Shape& mesh_shape_of_defaults() {
    return find_key(find_key(mesh_shape(), "spec")->shape, "defaults")->shape;
  }

  void check_control_plane_fits_role(const Value& cluster) {
    const Value& role = role_of(cluster);
    const Value& own = cluster["controlPlane"];
    if (role.is_broken()) return;
    if (!is_managed(role) && own.is_given()) {
      const bool primary = is_role(role, Role::kPrimary);
      report_.add(own.at,
                  fmt::format("{} cannot have a controlPlane",
                              primary ? "a primary" : "an external cluster"),
                  "leave it out, or write 'role: remote'");
    }
    const Value& control_plane = in_force(cluster, defaults_, "controlPlane");
    if (!is_managed(role) || control_plane.state != Value::State::kAbsent) return;
    if (is_role(role, Role::kConfig)) {
      const auto hosts = names_of(Role::kExternal);
      report_.add(cluster["role"].is_given() ? role.at : cluster.at,
                  "a config cluster needs a controlPlane, the external cluster that manages it",
                  hosts.empty() ? "" : fmt::format("write 'controlPlane: [{}]'", hosts.front()));
      return;
    }
    const auto primaries = names_of(Role::kPrimary);
    const std::string example = primaries.empty() ? "east" : primaries.front();
    report_.add(cluster["role"].is_given() ? role.at : cluster.at,
                "a remote needs a controlPlane, the primaries that manage it",
                fmt::format("for instance 'controlPlane: [{}]'", example));
  }

  /// Each entry of a `controlPlane` names a primary. `owner` is null for that of the defaults.
  void check_references(const Value& control_plane, const Value* owner) {
    for (const Value& entry : control_plane.items) {
      if (entry.is_given()) check_reference(entry, owner);
    }
  }

  void check_reference(const Value& entry, const Value* owner) {
    const auto target = std::find_if(clusters_.begin(), clusters_.end(), [&](const Value& cluster) {
      return cluster["name"].is_given() && cluster["name"].text == entry.text;
    });
    if (target == clusters_.end()) {
      report_missing_cluster(entry);
    } else if (owner != nullptr && (*owner)["name"].text == entry.text) {
      report_.add(entry.at, fmt::format("remote '{}' cannot be its own control plane", entry.text));
    } else if (const Value& role = role_of(*target); !role.is_broken() && is_managed(role)) {
      report_.add(entry.at,
                  fmt::format("cluster '{}' is a {}, expected a primary", entry.text,
                              is_role(role, Role::kRemote) ? "remote" : "config cluster"));
    } else if (owner != nullptr && is_role(role_of(*owner), Role::kConfig) &&
               is_role(role, Role::kPrimary)) {
      report_.add(entry.at, fmt::format("cluster '{}' is a primary, expected an external cluster",
                                        entry.text));
    }
  }

  void check_discovery_name(const Value& name) {
    const bool is_known = std::any_of(clusters_.begin(), clusters_.end(), [&](const Value& one) {
      return one["name"].is_broken() || one["name"].text == name.text;
    });
    if (!is_known && spec_["clusters"].is_given()) report_missing_cluster(name);
  }

  void check_address(const Value& address) {
    if (!address.is_given() || family_of(address.text)) return;
    report_.add(address.at, fmt::format("'{}' is not an IP address", address.text));
  }

  void check_gateway(const Value& gateway) {
    check_address(gateway["address"]);
    for (const Value& range : gateway["sourceRanges"].items) {
      if (!range.is_given() || is_address_range(range.text)) continue;
      report_.add(range.at, fmt::format("'{}' is not a range of addresses", range.text),
                  "write it like 10.0.0.0/8");
    }
  }

  void check_api_server(const Value& server) {
    if (!server.is_given() || !is_loopback_server(server.text)) return;
    report_.add(server.at,
                fmt::format("'{}' is this machine, other clusters cannot reach it", server.text),
                "name the address at which the pods of other clusters reach the API server");
  }

  /// Either a host with its certificate, or an address, or neither.
  void check_way_in(const Value& external) {
    const Value& host = external["host"];
    const Value& secret = external["tlsSecret"];
    if (host.is_given() && external["ip"].is_given()) {
      report_.add(external["ip"].at, "'ip' beside 'host', expected one of them");
    }
    if (host.is_given() && secret.state == Value::State::kAbsent) {
      report_.add(host.at, "'host' needs a 'tlsSecret' with a certificate for it",
                  "without 'host', TLS is passed through and needs none");
    }
    if (secret.is_given() && host.state == Value::State::kAbsent) {
      report_.add(secret.at, "'tlsSecret' has no effect without 'host'");
    }
  }

  void report_missing_cluster(const Value& entry) {
    std::vector<std::string> names;
    for (const Value& cluster : clusters_) {
      if (cluster["name"].is_broken()) return;  // it may be the one that is meant
      names.push_back(cluster["name"].text);
    }
    const auto near = base::nearest(entry.text, names);
    report_.add(entry.at, fmt::format("no cluster is called '{}'", entry.text),
                near ? fmt::format("did you mean '{}'?", *near) : "");
  }

  void check_some_primary() {
    if (!is_sound("role") || !names_of(Role::kPrimary).empty()) return;
    if (!names_of(Role::kExternal).empty()) return;
    report_.add(spec_["clusters"].at, "no cluster is a primary, expected at least one",
                "remotes are managed by the istiod of a primary");
  }

  const Value& spec_;
  const std::vector<Value>& clusters_;
  const Value& defaults_;
  Report& report_;
};

void Rules::check_topology() {
  const Value& stated = spec_["topology"];
  if (!stated.is_given() || !is_sound("role") || !is_sound("network")) return;
  std::vector<Cluster> clusters;
  std::set<std::string> networks;
  for (const Value& value : clusters_) {
    Cluster cluster;
    cluster.network = in_force(value, defaults_, "network").text;
    for (const Role role : all_roles()) {
      if (is_role(role_of(value), role)) cluster.role = role;
    }
    networks.insert(cluster.network);
    clusters.push_back(std::move(cluster));
  }
  if (networks.contains("")) return;  // one is missing, which is reported
  const Value& data_plane = spec_["istio"]["dataPlane"];
  if (data_plane.is_broken()) return;
  const bool ambient = data_plane.text == name_of(DataPlane::kAmbient);
  const std::string_view made =
      name_of(derive_topology(clusters, ambient ? DataPlane::kAmbient : DataPlane::kSidecar));
  if (stated.text == made) return;
  report_.add(stated.at,
              fmt::format("'{}' is stated, but roles and networks make '{}'", stated.text, made),
              fmt::format("primaries: {}; remotes: {}; external: {}; networks: {}; data plane: {}",
                          names_of(Role::kPrimary).size(), names_of(Role::kRemote).size(),
                          names_of(Role::kExternal).size(),
                          base::join(std::vector(networks.begin(), networks.end()), ", "),
                          data_plane.text));
}

void Rules::check_lifetimes() {
  const Value& intermediate = spec_["trust"]["intermediate"];
  const Value& root = spec_["trust"]["root"]["lifetime"];
  const Value& lifetime = intermediate["lifetime"];
  const Value& renew_before = intermediate["renewBefore"];
  const auto seconds = [](const Value& value) { return base::parse_duration(value.text).value(); };
  const auto shown = [](const Value& value) {
    return fmt::format("'{}'{}", value.text, value.is_given() ? "" : " (the default)");
  };
  if (!lifetime.is_broken() && !renew_before.is_broken() &&
      seconds(renew_before) >= seconds(lifetime)) {
    report_.add(renew_before.is_given() ? renew_before.at : lifetime.at,
                fmt::format("renewBefore {} is not shorter than the lifetime {}",
                            shown(renew_before), shown(lifetime)),
                fmt::format("for instance 'renewBefore: {}'",
                            base::format_duration(seconds(lifetime) / 4)));
  }
  if (!lifetime.is_broken() && !root.is_broken() && seconds(lifetime) > seconds(root)) {
    report_.add(lifetime.is_given() ? lifetime.at : root.at,
                fmt::format("the intermediate's lifetime {} is longer than the root's {}",
                            shown(lifetime), shown(root)),
                fmt::format("give the intermediate a lifetime of {} or less", root.text));
  }
}

}  // namespace

const Value& in_force(const Value& cluster, const Value& defaults, std::string_view key) {
  const Value& own = cluster[key];
  const Value& common = defaults[key];
  const bool is_defaulted =
      own.state == Value::State::kAbsent && common.state != Value::State::kAbsent;
  return is_defaulted ? common : own;
}

void validate(const Value& mesh_file, Report& report) {
  Rules rules(mesh_file["spec"], report);
  rules.check_clusters();
  rules.check_roles();
  rules.check_external();
  rules.check_addresses();
  rules.check_discovery();
  rules.check_topology();
  rules.check_lifetimes();
}

}  // namespace meshtrust::profiles
