#include "mesh/observation.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using base::Code;
using base::Json;

/// Ends in `observation_from_json`: reading a snapshot is all or nothing.
struct Malformed {
  std::string what;
};

const Json& field(const Json& object, const char* name) {
  if (!object.is_object() || !object.contains(name)) {
    throw Malformed{fmt::format("'{}' is missing", name)};
  }
  return object.at(name);
}

template <class T>
T value(const Json& object, const char* name) {
  try {
    return field(object, name).get<T>();
  } catch (const Json::exception&) {
    throw Malformed{fmt::format("'{}' is of the wrong type", name)};
  }
}

base::Instant instant(const Json& object, const char* name) {
  const auto time = base::parse_rfc3339(value<std::string>(object, name));
  if (!time) throw Malformed{fmt::format("'{}': {}", name, time.error().message)};
  return *time;
}

std::string_view name_of(istio::KeyMatch match) {
  switch (match) {
    case istio::KeyMatch::kMatches:
      return "matches";
    case istio::KeyMatch::kOther:
      return "other";
    case istio::KeyMatch::kUnreadable:
      return "unreadable";
    case istio::KeyMatch::kNotLookedAt:
      break;
  }
  return "not-looked-at";
}

istio::KeyMatch key_match(const std::string& name) {
  for (const auto match : {istio::KeyMatch::kMatches, istio::KeyMatch::kOther,
                           istio::KeyMatch::kUnreadable, istio::KeyMatch::kNotLookedAt}) {
    if (name_of(match) == name) return match;
  }
  throw Malformed{fmt::format("'key' is '{}'", name)};
}

// One pair of functions a type: what is written is what is read.

Json write(const std::string& text) {
  return text;
}
void read(const Json& json, std::string& text) {
  if (!json.is_string()) throw Malformed{"a text is of the wrong type"};
  text = json.get<std::string>();
}

Json write(const istio::PublicBundle& bundle) {
  return {
      {"caCert", bundle.ca_cert}, {"certChain", bundle.cert_chain}, {"rootCert", bundle.root_cert}};
}
void read(const Json& json, istio::PublicBundle& bundle) {
  bundle = {.ca_cert = value<std::string>(json, "caCert"),
            .cert_chain = value<std::string>(json, "certChain"),
            .root_cert = value<std::string>(json, "rootCert")};
}

Json write(const ServerFacts& server) {
  return {{"url", server.url},
          {"version", server.version},
          {"major", server.major},
          {"minor", server.minor},
          {"clusterUID", server.cluster_uid}};
}
void read(const Json& json, ServerFacts& server) {
  server = {.url = value<std::string>(json, "url"),
            .version = value<std::string>(json, "version"),
            .major = value<int>(json, "major"),
            .minor = value<int>(json, "minor"),
            .cluster_uid = value<std::string>(json, "clusterUID")};
}

Json write(const NamespaceFacts& facts) {
  Json json = {{"terminating", facts.terminating},
               {"createdByMeshtrust", facts.created_by_meshtrust}};
  if (facts.network) json["network"] = *facts.network;
  return json;
}
void read(const Json& json, NamespaceFacts& facts) {
  if (json.contains("network")) facts.network = value<std::string>(json, "network");
  facts.terminating = value<bool>(json, "terminating");
  facts.created_by_meshtrust = value<bool>(json, "createdByMeshtrust");
}

Json write(const CacertsFacts& facts) {
  return {{"resourceVersion", facts.resource_version},
          {"files", facts.files},
          {"certificates", write(facts.certificates)},
          {"key", name_of(facts.key)},
          {"managers", facts.managers}};
}
void read(const Json& json, CacertsFacts& facts) {
  facts.resource_version = value<std::string>(json, "resourceVersion");
  facts.files = value<std::vector<std::string>>(json, "files");
  read(field(json, "certificates"), facts.certificates);
  facts.key = key_match(value<std::string>(json, "key"));
  facts.managers = value<std::vector<std::string>>(json, "managers");
}

Json write(const TwinFacts& twin) {
  return {{"data", twin.data}};
}
void read(const Json& json, TwinFacts& twin) {
  twin.data = value<std::map<std::string, std::string>>(json, "data");
}

Json write(const IstiodFacts& istiod) {
  return {{"deployments", istiod.deployments}, {"image", istiod.image}};
}
void read(const Json& json, IstiodFacts& istiod) {
  istiod.deployments = value<std::vector<std::string>>(json, "deployments");
  istiod.image = value<std::string>(json, "image");
}

Json write(const IssuedFacts& issued) {
  return {{"fingerprint", issued.fingerprint},
          {"kind", issued.is_root ? "root" : "intermediate"},
          {"cluster", issued.cluster},
          {"issuer", issued.issuer},
          {"state", issued.state},
          {"notAfter", base::format_rfc3339(issued.not_after)}};
}
void read(const Json& json, IssuedFacts& issued) {
  issued = {.fingerprint = value<std::string>(json, "fingerprint"),
            .is_root = value<std::string>(json, "kind") == "root",
            .cluster = value<std::string>(json, "cluster"),
            .issuer = value<std::string>(json, "issuer"),
            .state = value<std::string>(json, "state"),
            .not_after = instant(json, "notAfter")};
}

Json write(const StoreFacts& store) {
  Json json = {{"declaredSubject", store.declared_subject},
               {"keyIsEncrypted", store.key_is_encrypted},
               {"roots", store.roots},
               {"issued", Json::array()}};
  if (store.root) json["root"] = *store.root;
  for (const IssuedFacts& issued : store.issued) {
    json["issued"].push_back(write(issued));
  }
  return json;
}
void read(const Json& json, StoreFacts& store) {
  if (json.contains("root")) store.root = value<std::string>(json, "root");
  store.declared_subject = value<std::string>(json, "declaredSubject");
  store.key_is_encrypted = value<bool>(json, "keyIsEncrypted");
  store.roots = value<std::vector<std::string>>(json, "roots");
  for (const Json& entry : field(json, "issued")) {
    read(entry, store.issued.emplace_back());
  }
}

template <class T>
Json write(const Observed<T>& observed) {
  if (const T* found = observed.found()) return {{"found", write(*found)}};
  if (observed.is_absent()) return "absent";
  const base::Error& why = *observed.why_unknown();
  return {{"unknown",
           {{"code", base::name_of(why.code)}, {"message", why.message}, {"hints", why.hints}}}};
}
template <class T>
void read(const Json& json, Observed<T>& observed) {
  if (json.is_string() && json == "absent") {
    observed = Absent{};
  } else if (json.is_object() && json.contains("found")) {
    T found;
    read(json.at("found"), found);
    observed = std::move(found);
  } else {
    const Json& why = field(json, "unknown");
    observed = Observed<T>::unknown({.code = base::code_from_name(value<std::string>(why, "code")),
                                     .message = value<std::string>(why, "message"),
                                     .hints = value<std::vector<std::string>>(why, "hints")});
  }
}

Json write(const ClusterObservation& cluster) {
  return {{"name", cluster.name},
          {"context", cluster.context},
          {"server", write(cluster.server)},
          {"systemNamespace", write(cluster.system_namespace)},
          {"cacerts", write(cluster.cacerts)},
          {"twin", write(cluster.twin)},
          {"istiod", write(cluster.istiod)},
          {"workloadRoots", write(cluster.workload_roots)},
          {"trustDomain", write(cluster.trust_domain)}};
}
void read(const Json& json, ClusterObservation& cluster) {
  cluster.name = value<std::string>(json, "name");
  cluster.context = value<std::string>(json, "context");
  read(field(json, "server"), cluster.server);
  read(field(json, "systemNamespace"), cluster.system_namespace);
  read(field(json, "cacerts"), cluster.cacerts);
  read(field(json, "twin"), cluster.twin);
  read(field(json, "istiod"), cluster.istiod);
  read(field(json, "workloadRoots"), cluster.workload_roots);
  read(field(json, "trustDomain"), cluster.trust_domain);
}

}  // namespace

const ClusterObservation* Observation::find(std::string_view cluster) const {
  const auto found = std::find_if(clusters.begin(), clusters.end(),
                                  [cluster](const auto& one) { return one.name == cluster; });
  return found == clusters.end() ? nullptr : &*found;
}

Json to_json(const Observation& observation) {
  Json json = {{"apiVersion", "meshtrust/v1"},
               {"kind", "Observation"},
               {"at", base::format_rfc3339(observation.at)},
               {"mesh", observation.mesh},
               {"store", write(observation.store)},
               {"clusters", Json::array()}};
  for (const auto& cluster : observation.clusters) {
    json["clusters"].push_back(write(cluster));
  }
  return json;
}

base::Result<Observation> observation_from_json(const Json& json) {
  try {
    if (value<std::string>(json, "kind") != "Observation") throw Malformed{"'kind' is another"};
    const auto version = value<std::string>(json, "apiVersion");
    if (version != "meshtrust/v1") {
      throw Malformed{fmt::format("'apiVersion' is '{}', wanted 'meshtrust/v1'", version)};
    }
    Observation observation;
    observation.at = instant(json, "at");
    observation.mesh = value<std::string>(json, "mesh");
    read(field(json, "store"), observation.store);
    for (const Json& entry : field(json, "clusters")) {
      read(entry, observation.clusters.emplace_back());
    }
    return observation;
  } catch (const Malformed& problem) {
    return base::fail(Code::kInvalidInput, "is not an observation: " + problem.what,
                      "write one with 'meshtrust observe -o json'");
  }
}

}  // namespace meshtrust::mesh
