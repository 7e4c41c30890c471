#include "mesh/plan.h"

#include <algorithm>
#include <set>

namespace meshtrust::mesh {
namespace {

using base::Json;

std::string_view name_of(Change change) {
  switch (change) {
    case Change::kAdd:
      return "add";
    case Change::kChange:
      return "change";
    case Change::kWait:
      return "wait";
    case Change::kRemove:
      break;
  }
  return "remove";
}

std::string_view kind_of(const Action& action) {
  struct Names {
    std::string_view operator()(const MintRoot&) const { return "mint-root"; }
    std::string_view operator()(const ApplyObjects&) const { return "apply"; }
    std::string_view operator()(const PushTrust&) const { return "push-trust"; }
    std::string_view operator()(const MakeLists&) const { return "make-lists"; }
    std::string_view operator()(const PushLists&) const { return "push-lists"; }
    std::string_view operator()(const PublishTwin&) const { return "publish-twin"; }
    std::string_view operator()(const RecordArrival&) const { return "record-arrival"; }
    std::string_view operator()(const Await&) const { return "await"; }
    std::string_view operator()(const AwaitTakeUp&) const { return "await-take-up"; }
    std::string_view operator()(const Install&) const { return "install"; }
    std::string_view operator()(const RestartIstiod&) const { return "restart-istiod"; }
    std::string_view operator()(const Annotate&) const { return "annotate"; }
    std::string_view operator()(const ShareAccess&) const { return "share-access"; }
    std::string_view operator()(const Delete&) const { return "delete"; }
    std::string_view operator()(const DeleteNamespace&) const { return "delete-namespace"; }
    std::string_view operator()(const Uninstall&) const { return "uninstall"; }
    std::string_view operator()(const Sweep&) const { return "sweep"; }
    std::string_view operator()(const ReleaseNamespace&) const { return "release-namespace"; }
  };
  return std::visit(Names{}, action);
}

}  // namespace

bool Plan::requires_root_key() const {
  return std::any_of(steps.begin(), steps.end(), [](const Step& step) {
    return std::holds_alternative<MintRoot>(step.action) ||
           std::holds_alternative<PushTrust>(step.action) ||
           std::holds_alternative<MakeLists>(step.action);
  });
}

void sort_by_needs(Plan& plan) {
  std::vector<Step>& steps = plan.steps;
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    places.emplace(steps[i].id, i);
  }
  std::vector<std::size_t> missing(steps.size());
  std::vector<std::vector<std::size_t>> waiting(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    Step& step = steps[i];
    std::erase_if(step.needs, [&](const std::string& need) {
      return need == step.id || !places.contains(need);
    });
    std::sort(step.needs.begin(), step.needs.end());
    step.needs.erase(std::unique(step.needs.begin(), step.needs.end()), step.needs.end());
    missing[i] = step.needs.size();
    for (const std::string& need : step.needs) {
      waiting[places.at(need)].push_back(i);
    }
  }
  std::set<std::size_t> ready;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (missing[i] == 0) ready.insert(i);
  }
  std::vector<Step> ordered;
  ordered.reserve(steps.size());
  while (!ready.empty()) {
    const std::size_t next = ready.extract(ready.begin()).value();
    for (const std::size_t one : waiting[next]) {
      if (--missing[one] == 0) ready.insert(one);
    }
    ordered.push_back(std::move(steps[next]));
  }
  MESHTRUST_CHECK(ordered.size() == steps.size());
  steps = std::move(ordered);
}

bool Plan::sends_keys_to(std::string_view cluster) const {
  return std::any_of(steps.begin(), steps.end(), [cluster](const Step& step) {
    return step.cluster == cluster && (std::holds_alternative<PushTrust>(step.action) ||
                                       std::holds_alternative<PushLists>(step.action));
  });
}

std::optional<istio::Version> Plan::requires_installer() const {
  for (const Step& step : steps) {
    if (const auto* install = std::get_if<Install>(&step.action)) {
      return install->installation.version;
    }
    if (const auto* uninstall = std::get_if<Uninstall>(&step.action)) {
      return uninstall->installation.version;
    }
  }
  return std::nullopt;
}

namespace {

Json to_json(const DoomedObject& object) {
  Json json = {{"apiVersion", object.api_version},
               {"kind", object.kind},
               {"namespace", object.namespace_name},
               {"name", object.name},
               {"uid", object.uid}};
  if (!object.certificate.empty()) json["certificate"] = object.certificate;
  return json;
}

/// What a step deletes, by uid: a plan about other objects is another plan.
Json doomed_by(const Action& action) {
  Json objects = Json::array();
  if (const auto* remove = std::get_if<Delete>(&action)) {
    for (const DoomedObject& object : remove->objects) {
      objects.push_back(to_json(object));
    }
  } else if (const auto* gone = std::get_if<DeleteNamespace>(&action)) {
    objects.push_back(to_json(gone->object));
    for (const ContentFacts& object : gone->of_others) {
      objects.push_back(to_json(DoomedObject{.api_version = object.api_version,
                                             .kind = object.kind,
                                             .resource = object.resource,
                                             .namespace_name = object.namespace_name,
                                             .name = object.name,
                                             .uid = object.uid}));
    }
  } else if (const auto* uninstall = std::get_if<Uninstall>(&action)) {
    objects.push_back(to_json(uninstall->marked));
    for (const DoomedObject& object : uninstall->webhooks) {
      objects.push_back(to_json(object));
    }
  } else if (const auto* release = std::get_if<ReleaseNamespace>(&action)) {
    objects.push_back(to_json(DoomedObject{.api_version = "v1",
                                           .kind = "Namespace",
                                           .resource = "namespaces",
                                           .namespace_name = {},
                                           .name = release->name,
                                           .uid = release->uid}));
  }
  return objects;
}

}  // namespace

Json to_json(const Plan& plan) {
  Json json = {{"apiVersion", "meshtrust/v1"},
               {"kind", "Plan"},
               {"mesh", plan.mesh},
               {"servers", Json::array()},
               {"steps", Json::array()}};
  for (const PlannedServer& server : plan.servers) {
    json["servers"].push_back({{"cluster", server.cluster},
                               {"url", server.url},
                               {"ca", server.ca},
                               {"clusterUID", server.cluster_uid}});
  }
  for (const Step& step : plan.steps) {
    json["steps"].push_back({{"id", step.id},
                             {"cluster", step.cluster},
                             {"action", kind_of(step.action)},
                             {"change", name_of(step.change)},
                             {"title", step.title},
                             {"reason", step.reason},
                             {"needs", step.needs},
                             {"diff", step.diff}});
    Json objects = doomed_by(step.action);
    if (!objects.empty()) json["steps"].back()["objects"] = std::move(objects);
  }
  return json;
}

bool Planned::is_refused() const {
  return !answer.unknowns.empty() || forbids_change(answer.findings);
}

}  // namespace meshtrust::mesh
