#include "mesh/observation.h"

#include "mesh/snapshot.h"

#include <algorithm>
#include <array>
#include <utility>

namespace meshtrust::mesh {
namespace snapshot {
namespace {

using base::Code;

std::string_view name_of(istio::KeyMatch match) {
  switch (match) {
    case istio::KeyMatch::kMatches:
      return "matches";
    case istio::KeyMatch::kOfRoot:
      return "of-root";
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
  for (const auto match :
       {istio::KeyMatch::kMatches, istio::KeyMatch::kOfRoot, istio::KeyMatch::kOther,
        istio::KeyMatch::kUnreadable, istio::KeyMatch::kNotLookedAt}) {
    if (name_of(match) == name) return match;
  }
  throw Malformed{fmt::format("'key' is '{}'", name)};
}

}  // namespace

Json write(const istio::PublicBundle& bundle) {
  Json json = {
      {"caCert", bundle.ca_cert}, {"certChain", bundle.cert_chain}, {"rootCert", bundle.root_cert}};
  if (!bundle.ca_crl.empty()) json["caCRL"] = bundle.ca_crl;
  return json;
}
void read(const Json& json, istio::PublicBundle& bundle) {
  bundle = {.ca_cert = value<std::string>(json, "caCert"),
            .cert_chain = value<std::string>(json, "certChain"),
            .root_cert = value<std::string>(json, "rootCert")};
  if (json.contains("caCRL")) bundle.ca_crl = value<std::string>(json, "caCRL");
}

Json write(const ServerFacts& server) {
  return {{"url", server.url},
          {"ca", server.ca},
          {"proxy", server.proxy},
          {"version", server.version},
          {"major", server.major},
          {"minor", server.minor},
          {"clusterUID", server.cluster_uid}};
}
void read(const Json& json, ServerFacts& server) {
  server = {.url = value<std::string>(json, "url"),
            .ca = value<std::string>(json, "ca"),
            .proxy = later_value(json, "proxy"),
            .version = value<std::string>(json, "version"),
            .major = value<int>(json, "major"),
            .minor = value<int>(json, "minor"),
            .cluster_uid = value<std::string>(json, "clusterUID")};
}

Json write(const NamespaceFacts& facts) {
  Json json = {{"terminating", facts.terminating},
               {"createdByMeshtrust", facts.created_by_meshtrust},
               {"mesh", facts.mesh},
               {"root", facts.root},
               {"cluster", facts.cluster},
               {"networkSetByOthers", facts.network_set_by_others},
               {"controlPlanesSetByOthers", facts.control_planes_set_by_others},
               {"uid", facts.uid}};
  if (facts.network) json["network"] = *facts.network;
  if (facts.control_planes) json["controlPlanes"] = *facts.control_planes;
  return json;
}
void read(const Json& json, NamespaceFacts& facts) {
  if (json.contains("network")) facts.network = value<std::string>(json, "network");
  if (json.contains("controlPlanes")) {
    facts.control_planes = value<std::string>(json, "controlPlanes");
  }
  facts.mesh = value<std::string>(json, "mesh");
  facts.root = later_value(json, "root");
  facts.cluster = later_value(json, "cluster");
  facts.network_set_by_others = value<bool>(json, "networkSetByOthers");
  facts.control_planes_set_by_others =
      json.contains("controlPlanesSetByOthers") && value<bool>(json, "controlPlanesSetByOthers");
  facts.terminating = value<bool>(json, "terminating");
  facts.created_by_meshtrust = value<bool>(json, "createdByMeshtrust");
  facts.uid = later_value(json, "uid");
}

Json write(const CacertsFacts& facts) {
  return {{"resourceVersion", facts.resource_version},
          {"files", facts.files},
          {"certificates", write(facts.certificates)},
          {"key", name_of(facts.key)},
          {"managers", facts.managers},
          {"uid", facts.uid}};
}
void read(const Json& json, CacertsFacts& facts) {
  facts.resource_version = value<std::string>(json, "resourceVersion");
  facts.files = value<std::vector<std::string>>(json, "files");
  read(field(json, "certificates"), facts.certificates);
  facts.key = key_match(value<std::string>(json, "key"));
  facts.managers = value<std::vector<std::string>>(json, "managers");
  facts.uid = later_value(json, "uid");
}

Json write(const TwinFacts& twin) {
  return {{"data", twin.data}, {"mesh", twin.mesh}, {"root", twin.root}, {"uid", twin.uid}};
}
void read(const Json& json, TwinFacts& twin) {
  twin.data = value<std::map<std::string, std::string>>(json, "data");
  twin.mesh = later_value(json, "mesh");
  twin.root = later_value(json, "root");
  twin.uid = later_value(json, "uid");
}

Json write(const IstiodFacts& istiod) {
  return {{"deployments", istiod.deployments}, {"image", istiod.image}};
}
void read(const Json& json, IstiodFacts& istiod) {
  istiod.deployments = value<std::vector<std::string>>(json, "deployments");
  istiod.image = value<std::string>(json, "image");
}

Json write(const CaVolume& ca) {
  return {{"workload", ca.workload}, {"ofPod", ca.is_of_pod}, {"folder", ca.folder},
          {"volume", ca.volume},     {"kind", ca.kind},       {"source", ca.source}};
}
void read(const Json& json, CaVolume& ca) {
  ca = {.workload = value<std::string>(json, "workload"),
        .is_of_pod = value<bool>(json, "ofPod"),
        .folder = value<std::string>(json, "folder"),
        .volume = value<std::string>(json, "volume"),
        .kind = value<std::string>(json, "kind"),
        .source = value<std::string>(json, "source")};
}

Json write(const IssuedFacts& issued) {
  return {
      {"fingerprint", issued.fingerprint}, {"kind", issued.is_root ? "root" : "intermediate"},
      {"cluster", issued.cluster},         {"issuer", issued.issuer},
      {"serial", issued.serial},           {"state", issued.state},
      {"revoked", issued.revoked},         {"notAfter", base::format_rfc3339(issued.not_after)}};
}
void read(const Json& json, IssuedFacts& issued) {
  issued = {.fingerprint = value<std::string>(json, "fingerprint"),
            .is_root = value<std::string>(json, "kind") == "root",
            .cluster = value<std::string>(json, "cluster"),
            .issuer = value<std::string>(json, "issuer"),
            .serial = value<std::string>(json, "serial"),
            .state = value<std::string>(json, "state"),
            .revoked = value<bool>(json, "revoked"),
            .not_after = instant(json, "notAfter")};
}

Json write(const StoreFacts& store) {
  Json json = {{"declaredSubject", store.declared_subject},
               {"keyIsEncrypted", store.key_is_encrypted},
               {"above", store.above},
               {"roots", store.roots},
               {"lists", store.lists},
               {"withoutList", store.without_list},
               {"listsMade", store.lists_made},
               {"everAbove", store.ever_above},
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
  store.above = value<std::string>(json, "above");
  store.roots = value<std::vector<std::string>>(json, "roots");
  store.lists = value<std::string>(json, "lists");
  store.without_list = value<std::vector<std::string>>(json, "withoutList");
  store.lists_made = value<std::vector<std::string>>(json, "listsMade");
  store.ever_above = value<std::string>(json, "everAbove");
  for (const Json& entry : field(json, "issued")) {
    read(entry, store.issued.emplace_back());
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
          {"otherCA", write(cluster.other_ca)},
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
  // Earlier versions did not look.
  if (json.contains("otherCA")) read(json["otherCA"], cluster.other_ca);
  read(field(json, "workloadRoots"), cluster.workload_roots);
  read(field(json, "trustDomain"), cluster.trust_domain);
}

namespace {

constexpr std::array kLevels{std::pair{Level::kTrust, "trust"}, std::pair{Level::kMesh, "mesh"},
                             std::pair{Level::kDeep, "deep"}};

Level level_of(const Json& json) {
  const auto name = value<std::string>(json, "level");
  for (const auto& [level, word] : kLevels) {
    if (name == word) return level;
  }
  throw Malformed{fmt::format("'level' is '{}'", name)};
}

}  // namespace
}  // namespace snapshot

const ClusterObservation* Observation::find(std::string_view cluster) const {
  const auto found = std::find_if(clusters.begin(), clusters.end(),
                                  [cluster](const auto& one) { return one.name == cluster; });
  return found == clusters.end() ? nullptr : &*found;
}

base::Json to_json(const Observation& observation) {
  // NOLINTNEXTLINE(google-build-using-namespace): its functions are made for these two
  using namespace snapshot;
  Json json = {{"apiVersion", "meshtrust/v1"},
               {"kind", "Observation"},
               {"at", base::format_rfc3339(observation.at)},
               {"mesh", observation.mesh},
               {"store", write(observation.store)},
               {"clusters", Json::array()}};
  for (const auto& [level, word] : kLevels) {
    if (level == observation.level) json["level"] = word;
  }
  for (const auto& cluster : observation.clusters) {
    json["clusters"].push_back(write(cluster));
    if (observation.level != Level::kTrust) json["clusters"].back()["live"] = write(cluster.live);
  }
  return json;
}

base::Result<Observation> observation_from_json(const base::Json& json) {
  // NOLINTNEXTLINE(google-build-using-namespace): its functions are made for these two
  using namespace snapshot;
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
    observation.level = level_of(json);
    for (const Json& entry : field(json, "clusters")) {
      ClusterObservation& cluster = observation.clusters.emplace_back();
      read(entry, cluster);
      if (observation.level != Level::kTrust) read(field(entry, "live"), cluster.live);
    }
    return observation;
  } catch (const Malformed& problem) {
    return base::fail(Code::kInvalidInput, "is not an observation: " + problem.what,
                      "write one with 'meshtrust observe -o json'");
  }
}

}  // namespace meshtrust::mesh
