#include "tests/support/fake_api_objects.h"

#include "base/encoding.h"
#include "base/text.h"

#include <algorithm>
#include <array>

namespace meshtrust::test {
namespace {

using base::Json;

struct Served {
  std::string_view api_version;
  std::string_view resource;
  std::string_view kind;
  bool namespaced;
};

constexpr std::array kServed = {
    Served{"v1", "namespaces", "Namespace", false},
    Served{"v1", "nodes", "Node", false},
    Served{"v1", "secrets", "Secret", true},
    Served{"v1", "configmaps", "ConfigMap", true},
    Served{"v1", "pods", "Pod", true},
    Served{"v1", "services", "Service", true},
    Served{"v1", "serviceaccounts", "ServiceAccount", true},
    Served{"v1", "events", "Event", true},
    Served{"apps/v1", "deployments", "Deployment", true},
    Served{"apps/v1", "daemonsets", "DaemonSet", true},
    Served{"coordination.k8s.io/v1", "leases", "Lease", true},
    Served{"apps/v1", "replicasets", "ReplicaSet", true},
    Served{"autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true},
    Served{"policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", true},
    Served{"discovery.k8s.io/v1", "endpointslices", "EndpointSlice", true},
    Served{"admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations",
           "MutatingWebhookConfiguration", false},
    Served{"admissionregistration.k8s.io/v1", "validatingwebhookconfigurations",
           "ValidatingWebhookConfiguration", false},
    Served{"apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition",
           false},
    Served{"networking.istio.io/v1", "virtualservices", "VirtualService", true},
    Served{"rbac.authorization.k8s.io/v1", "roles", "Role", true},
    Served{"rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", true},
    Served{"rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", false},
    Served{"rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", false},
};

/// The fields of an object one by one: JSON pointer to value. What the server keeps itself is not
/// among them.
std::map<std::string, Json> leaves_of(Json object) {
  object.erase("apiVersion");
  object.erase("kind");
  object.erase("status");
  Json& metadata = object["metadata"];
  if (metadata.is_null()) metadata = Json::object();
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp",
                            "managedFields", "deletionTimestamp"}) {
    metadata.erase(field);
  }
  std::map<std::string, Json> leaves;
  const Json flat = object.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    if (!value.is_null()) leaves[pointer] = value;
  }
  return leaves;
}

/// "/data/ca-cert.pem" as the server names a field in a conflict: ".data.ca-cert.pem".
std::string field_name(std::string pointer) {
  std::replace(pointer.begin(), pointer.end(), '/', '.');
  for (std::size_t at = 0; (at = pointer.find("~1", at)) != std::string::npos;) {
    pointer.replace(at, 2, "/");
  }
  return pointer;
}

void erase_leaf(Json& object, const std::string& pointer) {
  const Json::json_pointer where(pointer);
  Json& parent = object[where.parent_pointer()];
  if (parent.is_object()) parent.erase(where.back());
}

/// Owners by another operation than apply are other owners.
std::string by_update(const std::string& manager) {
  return manager + "!";
}

std::string name_of(const std::string& owner) {
  return owner.ends_with('!') ? owner.substr(0, owner.size() - 1) : owner;
}

Json details_of(const FakePath& path) {
  Json details{{"name", path.name}, {"kind", path.resource}};
  if (!path.group().empty()) details["group"] = path.group();
  return details;
}

std::string qualified(const FakePath& path) {
  return path.group().empty() ? path.resource : path.resource + "." + path.group();
}

FakeReply not_found(const FakePath& path) {
  return failure_reply(404, "NotFound", qualified(path) + " \"" + path.name + "\" not found",
                       details_of(path));
}

FakeReply namespace_not_found(const FakePath& path) {
  return failure_reply(404, "NotFound", "namespaces \"" + path.namespace_name + "\" not found",
                       {{"name", path.namespace_name}, {"kind", "namespaces"}});
}

FakeReply changed_meanwhile(const FakePath& path) {
  return failure_reply(409, "Conflict",
                       "Operation cannot be fulfilled on " + qualified(path) + " \"" + path.name +
                           "\": the object has been modified; please apply your changes to the "
                           "latest version and try again",
                       details_of(path));
}

bool matches(const Json& object, std::string_view selector) {
  if (selector.empty()) return true;
  const Json& labels = base::at_path(object, {"metadata", "labels"});
  for (const std::string& term : base::split(selector, ',')) {
    const std::size_t equals = term.find('=');
    const std::string key = term.substr(0, equals);
    if (key.starts_with('!')) {
      if (labels.is_object() && labels.contains(key.substr(1))) return false;
      continue;
    }
    if (!labels.is_object() || !labels.contains(key)) return false;
    if (equals == std::string::npos) continue;
    if (labels[key] != term.substr(term.find_last_of('=') + 1)) return false;
  }
  return true;
}

/// What the real server fills in or refuses.
std::optional<FakeReply> settle(const FakePath& path, Json& object) {
  if (path.kind != "Secret") return std::nullopt;
  if (!object.contains("type")) object["type"] = "Opaque";
  if (object.contains("stringData")) {
    for (const auto& [key, value] : object["stringData"].items()) {
      object["data"][key] = base::to_base64(base::as_bytes(value.get<std::string>()));
    }
    object.erase("stringData");
  }
  for (const auto& [key, value] : base::at_path(object, {"data"}).items()) {
    if (!value.is_string() || !base::from_base64(value.get<std::string>())) {
      return failure_reply(400, "BadRequest", "illegal base64 data at input byte 0");
    }
  }
  return std::nullopt;
}

}  // namespace

FakeReply json_reply(int status, const Json& body) {
  return {.status = status, .body = base::compact(body) + "\n"};
}

FakeReply failure_reply(int status,
                        std::string_view reason,
                        std::string_view message,
                        const Json& details) {
  return json_reply(status, {{"kind", "Status"},
                             {"apiVersion", "v1"},
                             {"metadata", Json::object()},
                             {"status", "Failure"},
                             {"message", message},
                             {"reason", reason},
                             {"details", details},
                             {"code", status}});
}

std::string FakePath::group() const {
  const std::size_t slash = api_version.find('/');
  return slash == std::string::npos ? "" : api_version.substr(0, slash);
}

std::optional<FakeReply> fake_discovery(std::string_view path) {
  if (path == "/api") {
    return json_reply(200, {{"kind", "APIVersions"}, {"versions", {"v1"}}});
  }
  std::set<std::string> versions;
  Json resources = Json::array();
  for (const Served& served : kServed) {
    const std::string version(served.api_version);
    versions.insert(version);
    if (path != (version == "v1" ? "/api/" : "/apis/") + version) continue;
    resources.push_back({{"name", served.resource},
                         {"kind", served.kind},
                         {"namespaced", served.namespaced},
                         {"verbs", {"create", "delete", "get", "list", "patch", "update"}}});
  }
  if (!resources.empty()) {
    return json_reply(200, {{"kind", "APIResourceList"}, {"resources", std::move(resources)}});
  }
  if (path != "/apis") return std::nullopt;
  Json groups = Json::array();
  for (const std::string& version : versions) {
    if (version == "v1") continue;
    groups.push_back({{"name", version.substr(0, version.find('/'))},
                      {"preferredVersion", {{"groupVersion", version}}},
                      {"versions", {{{"groupVersion", version}}}}});
  }
  return json_reply(200, {{"kind", "APIGroupList"}, {"groups", std::move(groups)}});
}

std::optional<FakePath> parse_fake_path(std::string_view path) {
  std::vector<std::string> parts = base::split(path, '/');
  if (parts.size() < 4 || !parts[0].empty()) return std::nullopt;
  FakePath out;
  std::size_t at = 0;
  if (parts[1] == "api") {
    out.api_version = parts[2];
    at = 3;
  } else if (parts[1] == "apis" && parts.size() >= 5) {
    out.api_version = parts[2] + "/" + parts[3];
    at = 4;
  } else {
    return std::nullopt;
  }
  if (parts[at] == "namespaces" && parts.size() >= at + 3) {
    out.namespace_name = parts[at + 1];
    at += 2;
  }
  out.resource = parts[at];
  if (parts.size() > at + 1) out.name = parts[at + 1];
  if (parts.size() > at + 2) return std::nullopt;
  for (const Served& served : kServed) {
    if (served.api_version != out.api_version || served.resource != out.resource) continue;
    out.kind = served.kind;
    if (served.namespaced && !out.name.empty() && out.namespace_name.empty()) return std::nullopt;
    return out;
  }
  return std::nullopt;
}

FakeObjects::FakeObjects(std::string cluster) : cluster_(std::move(cluster)) {
  for (const char* name : {"kube-system", "default"}) {
    put("/api/v1/namespaces/" + std::string(name), Json::object(), "kube-apiserver");
  }
}

std::string FakeObjects::key_of(const FakePath& path) {
  return path.api_version + "/" + path.resource + "/" + path.namespace_name + "/" + path.name;
}

bool FakeObjects::has_namespace(const FakePath& path) const {
  return path.namespace_name.empty() || entries_.contains("v1/namespaces//" + path.namespace_name);
}

FakeObjects::Entry FakeObjects::fresh(const FakePath& path) {
  Entry entry;
  entry.content = {
      {"apiVersion", path.api_version}, {"kind", path.kind}, {"metadata", {{"name", path.name}}}};
  if (!path.namespace_name.empty()) entry.content["metadata"]["namespace"] = path.namespace_name;
  // Distinct per cluster and the same in every run.
  const std::string seed =
      base::to_hex(base::sha256(base::as_bytes(cluster_ + "#" + std::to_string(++uids_))));
  entry.uid = seed.substr(0, 8) + "-" + seed.substr(8, 4) + "-4" + seed.substr(12, 3) + "-a" +
              seed.substr(15, 3) + "-" + seed.substr(18, 12);
  entry.created = "2026-11-01T00:00:00Z";
  return entry;
}

Json FakeObjects::render(const Entry& entry) const {
  Json out = entry.content;
  out["metadata"]["uid"] = entry.uid;
  out["metadata"]["resourceVersion"] = std::to_string(entry.version);
  out["metadata"]["creationTimestamp"] = entry.created;
  std::set<std::string> managers;
  for (const auto& [leaf, owners] : entry.owners) {
    managers.insert(owners.begin(), owners.end());
  }
  for (const std::string& manager : managers) {
    out["metadata"]["managedFields"].push_back(
        {{"manager", name_of(manager)},
         {"operation", manager == name_of(manager) ? "Apply" : "Update"}});
  }
  if (out["kind"] == "Namespace") out["status"]["phase"] = "Active";
  return out;
}

void FakeObjects::put(std::string_view path, Json object, std::string_view manager) {
  const auto parsed = parse_fake_path(path);
  if (!parsed) return;
  if (!has_namespace(*parsed)) {
    put("/api/v1/namespaces/" + parsed->namespace_name, Json::object(), manager);
  }
  const auto found = entries_.find(key_of(*parsed));
  Entry entry = found == entries_.end() ? fresh(*parsed) : found->second;
  entry.owners.clear();
  (void)settle(*parsed, object);
  const Json kept = entry.content["metadata"];
  entry.content = object;
  entry.content["apiVersion"] = parsed->api_version;
  entry.content["kind"] = parsed->kind;
  entry.content["metadata"].update(kept);
  if (object.contains("metadata")) entry.content["metadata"].update(object["metadata"]);
  for (const auto& [leaf, value] : leaves_of(object)) {
    entry.owners[leaf] = {std::string(manager)};
  }
  entry.version = ++version_;
  entries_[key_of(*parsed)] = std::move(entry);
}

void FakeObjects::remove(std::string_view path) {
  if (const auto parsed = parse_fake_path(path)) entries_.erase(key_of(*parsed));
}

std::optional<Json> FakeObjects::get(std::string_view path) const {
  const auto parsed = parse_fake_path(path);
  if (!parsed) return std::nullopt;
  const auto found = entries_.find(key_of(*parsed));
  if (found == entries_.end()) return std::nullopt;
  return render(found->second);
}

std::vector<std::string> FakeObjects::paths() const {
  std::vector<std::string> out;
  for (const auto& [key, entry] : entries_) {
    out.push_back(key);
  }
  return out;
}

FakeReply FakeObjects::read(const FakePath& path, std::string_view label_selector) const {
  if (!path.name.empty()) {
    const auto found = entries_.find(key_of(path));
    return found == entries_.end() ? not_found(path) : json_reply(200, render(found->second));
  }
  Json items = Json::array();
  const std::string prefix = path.api_version + "/" + path.resource + "/";
  const std::string within =
      path.namespace_name.empty() ? prefix : prefix + path.namespace_name + "/";
  for (const auto& [key, entry] : entries_) {
    if (!key.starts_with(within)) continue;
    Json item = render(entry);
    if (!matches(item, label_selector)) continue;
    item.erase("kind");
    item.erase("apiVersion");
    items.push_back(std::move(item));
  }
  return json_reply(200, {{"kind", path.kind + "List"},
                          {"apiVersion", path.api_version},
                          {"metadata", {{"resourceVersion", std::to_string(version_)}}},
                          {"items", std::move(items)}});
}

FakeReply FakeObjects::create(const FakePath& path, const Json& body) {
  FakePath full = path;
  full.name = base::string_at(base::at_path(body, {"metadata"}), "name");
  if (!has_namespace(full)) return namespace_not_found(full);
  if (entries_.contains(key_of(full))) {
    return failure_reply(409, "AlreadyExists",
                         qualified(full) + " \"" + full.name + "\" already exists",
                         details_of(full));
  }
  Json object = body;
  if (auto refused = settle(full, object)) return *refused;
  Entry entry = fresh(full);
  entry.content.update(object, true);
  for (const auto& [leaf, value] : leaves_of(object)) {
    entry.owners[leaf] = {by_update("meshtrust")};
  }
  entry.version = ++version_;
  return json_reply(201, render(entries_[key_of(full)] = std::move(entry)));
}

/// A cause for every field that another manager holds with a different value.
Json FakeObjects::conflicts(const Entry& entry,
                            const std::map<std::string, Json>& wanted,
                            const std::string& manager,
                            const std::string& api_version) {
  const auto live = leaves_of(entry.content);
  Json causes = Json::array();
  for (const auto& [leaf, value] : wanted) {
    const auto there = live.find(leaf);
    const auto owners = entry.owners.find(leaf);
    if (there == live.end() || there->second == value || owners == entry.owners.end()) continue;
    for (const std::string& owner : owners->second) {
      if (owner == manager) continue;
      causes.push_back(
          {{"reason", "FieldManagerConflict"},
           {"message", "conflict with \"" + name_of(owner) + "\" using " + api_version},
           {"field", field_name(leaf)}});
    }
  }
  return causes;
}

/// Makes `wanted` all that `manager` owns; what only it owned before goes.
void FakeObjects::take_over(Entry& entry,
                            const std::map<std::string, Json>& wanted,
                            const std::string& manager,
                            bool force) {
  for (auto& [leaf, owners] : entry.owners) {
    if (wanted.contains(leaf)) continue;
    if (owners.erase(manager) > 0 && owners.empty()) erase_leaf(entry.content, leaf);
  }
  std::erase_if(entry.owners, [](const auto& item) { return item.second.empty(); });
  for (const auto& [leaf, value] : wanted) {
    entry.content[Json::json_pointer(leaf)] = value;
    if (force) entry.owners[leaf].clear();
    entry.owners[leaf].insert(manager);
  }
}

/// As a real server: a version alone keeps nobody from creating, a UID does.
std::optional<FakeReply> FakeObjects::refuse_other_than(const FakePath& path,
                                                        const Json& body,
                                                        const Entry* live) {
  const Json& metadata = base::at_path(body, {"metadata"});
  const std::string uid = base::string_at(metadata, "uid");
  const std::string version = base::string_at(metadata, "resourceVersion");
  if (live == nullptr) {
    if (uid.empty()) return std::nullopt;
    return failure_reply(409, "Conflict",
                         "Operation cannot be fulfilled on " + qualified(path) + " \"" + path.name +
                             "\": uid mismatch: the provided object specified uid " + uid +
                             ", and no existing object was found",
                         details_of(path));
  }
  if (!version.empty() && version != std::to_string(live->version)) return changed_meanwhile(path);
  if (uid.empty() || uid == live->uid) return std::nullopt;
  return failure_reply(422, "Invalid",
                       path.kind + " \"" + path.name +
                           "\" is invalid: metadata.uid: Invalid value: \"" + uid +
                           "\": field is immutable");
}

FakeReply FakeObjects::apply(
    const FakePath& path, Json body, const std::string& manager, bool force, bool dry_run) {
  if (manager.empty()) {
    return failure_reply(422, "Invalid",
                         "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: "
                         "Required value: is required for apply patch");
  }
  if (!has_namespace(path)) return namespace_not_found(path);
  if (base::at_path(body, {"metadata"}).contains("managedFields")) {
    return failure_reply(400, "BadRequest", "metadata.managedFields must be nil");
  }
  const auto found = entries_.find(key_of(path));
  const bool is_new = found == entries_.end();
  if (auto refused = refuse_other_than(path, body, is_new ? nullptr : &found->second)) {
    return *refused;
  }
  if (auto refused = settle(path, body)) return *refused;

  Entry entry = is_new ? fresh(path) : found->second;
  const Json before = entry.content;
  const auto owners_before = entry.owners;
  const auto wanted = leaves_of(body);
  const Json causes = force ? Json::array() : conflicts(entry, wanted, manager, path.api_version);
  if (!causes.empty()) {
    return failure_reply(409, "Conflict",
                         "Apply failed with " + std::to_string(causes.size()) + " conflict",
                         {{"causes", causes}});
  }
  if (!is_new && path.kind == "Secret" && body.contains("type") &&
      body["type"] != entry.content["type"]) {
    return failure_reply(
        422, "Invalid",
        "Secret \"" + path.name + "\" is invalid: type: Invalid value: field is immutable");
  }

  take_over(entry, wanted, manager, force);
  if (is_new || entry.content != before || entry.owners != owners_before) {
    entry.version = version_ + 1;
  }
  const Json answer = render(entry);
  if (!dry_run) {
    version_ = std::max(version_, entry.version);
    entries_[key_of(path)] = std::move(entry);
  }
  return json_reply(is_new ? 201 : 200, answer);
}

FakeReply FakeObjects::change_owners(const FakePath& path, const Json& patch) {
  const auto found = entries_.find(key_of(path));
  if (found == entries_.end()) return not_found(path);
  Entry& entry = found->second;
  const Json before = render(entry);
  Json after;
  try {
    after = before.patch(patch);
  } catch (const Json::exception&) {
    return failure_reply(422, "Invalid", "the patch cannot be applied");
  }
  if (after["metadata"]["uid"] != before["metadata"]["uid"] ||
      after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]) {
    return changed_meanwhile(path);
  }
  for (const Json& field : after["metadata"]["managedFields"]) {
    if (field["operation"] != "Apply") continue;
    const std::string manager = field["manager"];
    for (auto& [leaf, owners] : entry.owners) {
      if (owners.erase(by_update(manager)) > 0) owners.insert(manager);
    }
  }
  entry.version = ++version_;
  return json_reply(200, render(entry));
}

FakeReply FakeObjects::replace(const FakePath& path, const Json& body, const std::string& manager) {
  const auto found = entries_.find(key_of(path));
  if (found == entries_.end()) return not_found(path);
  const std::string expected =
      base::string_at(base::at_path(body, {"metadata"}), "resourceVersion");
  if (!expected.empty() && expected != std::to_string(found->second.version)) {
    return changed_meanwhile(path);
  }
  Json object = body;
  if (auto refused = settle(path, object)) return *refused;
  Entry entry = found->second;
  const Json before = entry.content;
  const auto leaves = leaves_of(object);
  for (const auto& [leaf, value] : leaves_of(before)) {
    if (!leaves.contains(leaf)) erase_leaf(entry.content, leaf);
  }
  take_over(entry, leaves, manager, true);
  if (entry.content != before) entry.version = ++version_;
  return json_reply(200, render(found->second = std::move(entry)));
}

FakeReply FakeObjects::destroy(const FakePath& path, const Json& options) {
  const auto found = entries_.find(key_of(path));
  if (found == entries_.end()) return not_found(path);
  Entry& entry = found->second;
  const Json& only = base::at_path(options, {"preconditions"});
  const bool same_uid = base::string_at(only, "uid", entry.uid) == entry.uid;
  const std::string version = std::to_string(entry.version);
  if (!same_uid || base::string_at(only, "resourceVersion", version) != version) {
    return failure_reply(409, "Conflict",
                         "Operation cannot be fulfilled on " + qualified(path) + " \"" + path.name +
                             "\": the UID or resourceVersion in the precondition does not match",
                         details_of(path));
  }
  if (!base::at_path(entry.content, {"metadata", "finalizers"}).empty()) {
    entry.content["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z";
    entry.version = ++version_;
    return json_reply(200, render(entry));
  }
  Json details = details_of(path);
  details["uid"] = entry.uid;
  entries_.erase(found);
  if (path.resource == "namespaces") {
    std::erase_if(entries_, [&path](const auto& item) {
      return base::string_at(base::at_path(item.second.content, {"metadata"}), "namespace") ==
             path.name;
    });
  }
  return json_reply(200, {{"kind", "Status"},
                          {"apiVersion", "v1"},
                          {"metadata", Json::object()},
                          {"status", "Success"},
                          {"details", details}});
}

}  // namespace meshtrust::test
