#include "mesh/snapshot.h"

namespace meshtrust::mesh::snapshot {

Json write(const AccessTrial& trial) {
  return {{"result", name_of(trial.result)}, {"why", trial.why},
          {"clusterUID", trial.cluster_uid}, {"username", trial.username},
          {"missing", trial.missing},        {"readsSecrets", trial.reads_secrets}};
}
void read(const Json& json, AccessTrial& trial) {
  using Result = AccessTrial::Result;
  const auto name = value<std::string>(json, "result");
  trial = {.why = value<std::string>(json, "why"),
           .cluster_uid = value<std::string>(json, "clusterUID"),
           .username = value<std::string>(json, "username"),
           .missing = value<std::vector<std::string>>(json, "missing"),
           .reads_secrets = value<bool>(json, "readsSecrets")};
  for (const Result result : {Result::kWorks, Result::kUntrusted, Result::kRefused,
                              Result::kElsewhere, Result::kUnusable}) {
    if (name == name_of(result)) trial.result = result;
  }
}

Json write(const RemoteCluster& cluster) {
  return {
      {"cluster", cluster.cluster}, {"server", cluster.server},      {"ca", cluster.ca},
      {"token", cluster.token},     {"trial", write(cluster.trial)}, {"writer", cluster.writer}};
}
void read(const Json& json, RemoteCluster& cluster) {
  cluster.cluster = value<std::string>(json, "cluster");
  cluster.server = value<std::string>(json, "server");
  cluster.ca = value<std::string>(json, "ca");
  cluster.token = value<std::string>(json, "token");
  // Earlier versions made another trial, which says less.
  if (json.contains("trial")) read(field(json, "trial"), cluster.trial);
  cluster.writer = later_value(json, "writer");
}

Json write(const RemoteSecretFacts& secret) {
  return {{"namespace", secret.namespace_name},
          {"name", secret.name},
          {"watched", secret.is_watched},
          {"mesh", secret.mesh},
          {"root", secret.root},
          {"clusters", write(secret.clusters)},
          {"uid", secret.uid}};
}
void read(const Json& json, RemoteSecretFacts& secret) {
  secret.namespace_name = value<std::string>(json, "namespace");
  secret.name = value<std::string>(json, "name");
  secret.is_watched = value<bool>(json, "watched");
  secret.mesh = value<std::string>(json, "mesh");
  secret.root = later_value(json, "root");
  read(field(json, "clusters"), secret.clusters);
  secret.uid = later_value(json, "uid");
}

Json write(const TokenSecretFacts& secret) {
  return {{"namespace", secret.namespace_name},
          {"name", secret.name},
          {"serviceAccount", secret.service_account},
          {"mesh", secret.mesh},
          {"root", secret.root},
          {"ca", secret.ca},
          {"token", secret.token},
          {"uid", secret.uid}};
}
void read(const Json& json, TokenSecretFacts& secret) {
  secret = {.namespace_name = value<std::string>(json, "namespace"),
            .name = value<std::string>(json, "name"),
            .service_account = value<std::string>(json, "serviceAccount"),
            .mesh = value<std::string>(json, "mesh"),
            .root = later_value(json, "root"),
            .ca = value<std::string>(json, "ca"),
            .token = value<std::string>(json, "token"),
            .uid = later_value(json, "uid")};
}

Json write(const ContentFacts& object) {
  return {{"apiVersion", object.api_version},
          {"kind", object.kind},
          {"resource", object.resource},
          {"namespace", object.namespace_name},
          {"name", object.name},
          {"uid", object.uid},
          {"labels", object.labels},
          {"managers", object.managers},
          {"owners", write(object.owners)},
          {"terminating", object.terminating}};
}
void read(const Json& json, ContentFacts& object) {
  object.api_version = value<std::string>(json, "apiVersion");
  object.kind = value<std::string>(json, "kind");
  object.resource = value<std::string>(json, "resource");
  object.namespace_name = value<std::string>(json, "namespace");
  object.name = value<std::string>(json, "name");
  object.uid = value<std::string>(json, "uid");
  object.labels = value<std::map<std::string, std::string>>(json, "labels");
  object.managers = value<std::vector<std::string>>(json, "managers");
  read(field(json, "owners"), object.owners);
  object.terminating = value<bool>(json, "terminating");
}

Json write(const ContentFacts::Owner& owner) {
  return {{"kind", owner.kind}, {"uid", owner.uid}};
}
void read(const Json& json, ContentFacts::Owner& owner) {
  owner = {.kind = value<std::string>(json, "kind"), .uid = value<std::string>(json, "uid")};
}

Json write(const IstiodView::Cluster& cluster) {
  return {{"id", cluster.id}, {"secret", cluster.secret}, {"status", cluster.status}};
}
void read(const Json& json, IstiodView::Cluster& cluster) {
  cluster = {.id = value<std::string>(json, "id"),
             .secret = value<std::string>(json, "secret"),
             .status = value<std::string>(json, "status")};
}
Json write(const IstiodView::Gateway& gateway) {
  return {{"network", gateway.network}, {"address", gateway.address}};
}
void read(const Json& json, IstiodView::Gateway& gateway) {
  gateway = {.network = value<std::string>(json, "network"),
             .address = value<std::string>(json, "address")};
}

Json write(const IstiodView& view) {
  return {{"namespace", view.namespace_name},
          {"pod", view.pod},
          {"clusters", write(view.clusters)},
          {"gateways", write(view.gateways)}};
}
void read(const Json& json, IstiodView& view) {
  view.namespace_name = value<std::string>(json, "namespace");
  view.pod = value<std::string>(json, "pod");
  read(field(json, "clusters"), view.clusters);
  read(field(json, "gateways"), view.gateways);
}

namespace {

std::vector<pki::Certificate> certificates(const Json& object, const char* name) {
  auto parsed = pki::certificates_from_pem(value<std::string>(object, name));
  if (!parsed) throw Malformed{fmt::format("'{}': {}", name, parsed.error().message)};
  return *std::move(parsed);
}

}  // namespace

Json write(const istio::Credential& credential) {
  return {{"chain", pki::to_pem(credential.chain)}, {"roots", pki::to_pem(credential.roots)}};
}
void read(const Json& json, istio::Credential& credential) {
  credential = {.chain = certificates(json, "chain"), .roots = certificates(json, "roots")};
}

Json write(const WorkloadPod& pod) {
  return {{"namespace", pod.namespace_name},
          {"name", pod.name},
          {"workload", pod.workload},
          {"serviceAccount", pod.service_account},
          {"created", base::format_rfc3339(pod.created)},
          {"adminPort", pod.admin_port},
          {"credentials", write(pod.credentials)},
          {"readAt", base::format_rfc3339(pod.read_at)}};
}
void read(const Json& json, WorkloadPod& pod) {
  pod = {.namespace_name = value<std::string>(json, "namespace"),
         .name = value<std::string>(json, "name"),
         .workload = value<std::string>(json, "workload"),
         .service_account = value<std::string>(json, "serviceAccount"),
         .created = instant(json, "created"),
         .admin_port = value<std::uint16_t>(json, "adminPort"),
         .read_at = instant(json, "readAt")};
  read(field(json, "credentials"), pod.credentials);
}

Json write(const WorkloadFacts& facts) {
  return {{"pods", facts.pods}, {"chosen", write(facts.chosen)}};
}
void read(const Json& json, WorkloadFacts& facts) {
  facts.pods = value<std::size_t>(json, "pods");
  read(field(json, "chosen"), facts.chosen);
}

Json write(const LiveMesh& live) {
  Json objects = Json::object();
  for (const auto& [resource, list] : live.objects.all()) {
    objects[resource] = write(list);
  }
  Json json = {{"objects", std::move(objects)},
               {"remoteSecrets", write(live.remote_secrets)},
               {"tokens", write(live.tokens)},
               {"istiods", write(live.istiods)},
               {"contents", write(live.contents)}};
  if (live.workloads) json["workloads"] = write(*live.workloads);
  return json;
}
void read(const Json& json, LiveMesh& live) {
  const Json& objects = field(json, "objects");
  if (!objects.is_object()) throw Malformed{"'objects' is of the wrong type"};
  for (const auto& [resource, list] : objects.items()) {
    Observed<Objects::List> found;
    read(list, found);
    live.objects.add(resource, std::move(found));
  }
  read(field(json, "remoteSecrets"), live.remote_secrets);
  read(field(json, "tokens"), live.tokens);
  read(field(json, "istiods"), live.istiods);
  read(field(json, "contents"), live.contents);
  if (json.contains("workloads")) read(json.at("workloads"), live.workloads.emplace());
}

}  // namespace meshtrust::mesh::snapshot
